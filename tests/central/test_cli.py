"""The commands beside `run`: on the database itself, whether or not the service runs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from central.cli import EXIT_CONFIG, main
from tests.central.support.postgres import PostgresServer


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
    assert "shown only once" in about
    assert "There is a key 'laptop' already" in said(1, "key", "add", "laptop")[1]
    token, about = said(0, "enrol", "--uses", "3", "--hours", "2")
    assert token.startswith("et_")
    assert "3 boxes, and for 2 h" in about
    assert said(0, "enrol", "--revoke")[0].startswith("1 enrolment tokens are revoked")
    assert said(0, "enrol", "--revoke")[0].startswith("0 ")
    assert "laptop\tactive" in said(0, "key", "list")[0]
    assert "is revoked" in said(0, "key", "revoke", "laptop")[0]
    assert "laptop\trevoked" in said(0, "key", "list")[0]
    assert "There is no active key 'laptop'" in said(1, "key", "revoke", "laptop")[1]
    assert said(0, "key", "add", "laptop")[0].startswith("ak_")


@pytest.mark.parametrize(
    ("variable", "value", "sentence"),
    [
        ("DATABASE_URL", "mysql://x/y", "should begin with postgresql:// or sqlite:///"),
        ("DATABASE_URL", "postgresql://me:p/w@db:x/y", "in the password write @ : / ? # and % as %40"),
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


@pytest.mark.parametrize(
    ("user", "name", "sentence"),
    [
        ("central", "missing", 'database "missing" does not exist'),
        ("nobody", "central", 'role "nobody" does not exist'),
    ],
)
def test_a_postgres_that_lets_nobody_in_is_told(
    postgres: PostgresServer,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    user: str,
    name: str,
    sentence: str,
) -> None:
    """With the address, but not the password in it, and what the server says."""
    monkeypatch.setenv("DATABASE_URL", postgres.url(name).replace("central@", f"{user}:secret@"))
    assert main(["key", "list"]) == 1
    said = capsys.readouterr().err
    assert f"The database refuses the connection ({sentence}). Check database.url.\n" in said
    assert "secret" not in said


def test_a_new_database_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once: who meant that of a service that runs has named the wrong one."""
    file = tmp_path / "central.db"
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{file}")
    assert main(["key", "add", "laptop"]) == 0
    assert f"Made the database {file}." in capsys.readouterr().err
    assert main(["key", "list"]) == 0
    assert "Made the database" not in capsys.readouterr().err


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_what_root_makes_belongs_to_the_one_who_runs_the_service(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`sudo cast-central key add` before the first start of a service of another user."""
    os.chown(tmp_path, 12345, 12346)
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path}/central.db")
    assert main(["enrol"]) == 0
    files = list(tmp_path.iterdir())
    assert len(files) >= 2
    assert {(file.stat().st_uid, file.stat().st_mode & 0o777) for file in files} == {(12345, 0o600)}
