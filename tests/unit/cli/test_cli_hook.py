"""`cast-agent hook`: real files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agent.access.hooks import HookFile
from agent.cli import main
from agent.persistence.entry_file import PRESETS_FILE
from tests.unit.cli.environment import only_settings_of_the_test


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    only_settings_of_the_test(monkeypatch, tmp_path)
    monkeypatch.setenv("CAST_AGENT_API__HOST", "192.0.2.5")
    monkeypatch.setenv("CAST_AGENT_PRESET", '[{"id": "radio", "url": "http://x"}]')
    entries = [{"id": "front-door", "url": "http://x"}]
    (tmp_path / PRESETS_FILE).write_text(json.dumps({"version": 1, "entries": entries}))


def test_a_hook_is_made_listed_and_revoked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its address goes to standard output alone and is shown this once."""
    assert main(["hook", "add", "doorbell", "--preset", "front-door"]) == 0
    said = capsys.readouterr()
    url, secret = said.out.strip(), said.out.strip().rpartition("/")[2]
    assert url == f"http://192.0.2.5:8090/hook/{secret}"
    assert HookFile(tmp_path).find(secret) is not None
    assert "There is no preset" not in said.err

    assert main(["hook", "add", "quiet", "--action", "stop", "--json"]) == 0
    made = json.loads(capsys.readouterr().out)
    assert (made["name"], made["action"], made["preset"]) == ("quiet", "stop", None)
    assert main(["hook", "list"]) == 0
    listed = capsys.readouterr().out
    assert ("start front-door" in listed, "stop" in listed, secret in listed) == (True, True, False)
    assert main(["hook", "list", "--json"]) == 0
    assert [hook["name"] for hook in json.loads(capsys.readouterr().out)] == ["doorbell", "quiet"]

    assert main(["hook", "revoke", "doorbell"]) == 0
    assert [hook.name for hook in HookFile(tmp_path).read()] == ["quiet"]
    assert main(["hook", "revoke", "doorbell"]) == 1
    assert "There is no hook 'doorbell'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("--action start", "start needs --preset"),
        ("--action stop --preset radio", "leave --preset out"),
        ("--action begin --preset radio", "invalid choice"),
    ],
)
def test_a_hook_without_sense_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: str, said: str
) -> None:
    assert main(["hook", "add", "x", *options.split()]) == 64
    assert said in capsys.readouterr().err
    assert HookFile(tmp_path).read() == ()


def test_a_preset_that_is_not_there_yet_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["hook", "add", "a", "--preset", "gate"]) == 0
    assert "There is no preset gate now" in capsys.readouterr().err
    assert main(["hook", "add", "b", "--preset", "radio"]) == 0
    assert "There is no preset" not in capsys.readouterr().err


def test_a_hook_needs_a_disk(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "hooks.json").mkdir()
    assert main(["hook", "list"]) == 1
    assert "hooks.json" in capsys.readouterr().err
