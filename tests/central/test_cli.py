"""The commands beside `run`: on the database itself, whether or not the service runs."""

from __future__ import annotations

import pytest

from central.cli import EXIT_CONFIG, main


def test_keys_are_made_listed_and_revoked(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A token alone on standard output, what to know about it beside; a name is one key's until that is revoked."""
    monkeypatch.setenv("CAST_CENTRAL_DATABASE__URL", sqlite_url)

    def said(code: int, *arguments: str) -> tuple[str, str]:
        assert main(list(arguments)) == code
        captured = capsys.readouterr()
        return captured.out, captured.err

    key, about = said(0, "key", "add", "laptop")
    assert key.startswith("ak_")
    assert len(key.splitlines()) == 1
    assert "shown this once" in about
    assert "There is a key 'laptop' already" in said(1, "key", "add", "laptop")[1]
    token, about = said(0, "enrol", "--uses", "3", "--hours", "2")
    assert token.startswith("et_")
    assert "3 boxes, and for 2 h" in about
    assert "laptop\tactive" in said(0, "key", "list")[0]
    assert "opens nothing any more" in said(0, "key", "revoke", "laptop")[0]
    assert "laptop\trevoked" in said(0, "key", "list")[0]
    assert "There is no active key 'laptop'" in said(1, "key", "revoke", "laptop")[1]
    assert said(0, "key", "add", "laptop")[0].startswith("ak_")


@pytest.mark.parametrize(
    ("variable", "value", "sentence"),
    [
        ("DATABASE_URL", "mysql://x/y", "should begin with postgresql:// or sqlite:///"),
        ("DATABASE_URL", "sqlite:////proc/nothing/central.db", "set dir in the section [state]"),
        ("CAST_CENTRAL_API__HOST", "192.0.2.1", "Nothing can be served at 192.0.2.1"),
    ],
)
def test_what_cannot_run_says_why(
    sqlite_url: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    variable: str,
    value: str,
    sentence: str,
) -> None:
    """Exit code 78 and a sentence, no traceback."""
    monkeypatch.setenv("DATABASE_URL", sqlite_url)
    monkeypatch.setenv(variable, value)
    assert main(["run"]) == EXIT_CONFIG
    assert sentence in capsys.readouterr().err
