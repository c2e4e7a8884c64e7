"""`cast-agent pair`: a real file, and a real terminal."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from agent.access.pairing import Pairing
from agent.cli import main
from tests.support.sockets import free_port
from tests.unit.cli.environment import only_settings_of_the_test


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    only_settings_of_the_test(monkeypatch, tmp_path)
    monkeypatch.setenv("CAST_AGENT_API__HOST", "127.0.0.1")
    monkeypatch.setenv("CAST_AGENT_API__PORT", str(free_port()))


def test_the_link_goes_to_standard_output_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A script can take the link; a person is told that nobody answers."""
    assert main(["pair"]) == 0
    said = capsys.readouterr()
    [link] = said.out.splitlines()
    base, _, token = link.partition("/pair#")
    assert base == f"http://127.0.0.1:{os.environ['CAST_AGENT_API__PORT']}"
    assert "5 minutes" in said.err
    assert "No agent answers" in said.err
    assert main(["pair", "--json"]) == 0
    other = json.loads(capsys.readouterr().out)
    assert other["valid_s"] == 300
    pairing = Pairing(tmp_path)
    assert pairing.take(token)
    assert pairing.take(other["url"].partition("#")[2])


def test_where_everybody_is_let_in_no_link_is_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CAST_AGENT_API__AUTH", "none")
    assert main(["pair"]) == 1
    assert "no device needs to be paired" in capsys.readouterr().err
    assert not [*tmp_path.iterdir()]


def test_a_terminal_shows_a_code(tmp_path: Path) -> None:
    """The code is made of half blocks, and comes before the link."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "PYTHONUTF8": "1"}
    subprocess.run(
        [sys.executable, "-m", "agent.cli", "pair"],
        env=environment, stdout=theirs, stderr=subprocess.DEVNULL, check=True, timeout=20,
    )  # fmt: skip
    os.close(theirs)
    shown = b""
    with suppress(OSError):  # how the end of a terminal is told
        while data := os.read(ours, 4096):
            shown += data
    os.close(ours)
    code, _, link = shown.decode().rstrip().rpartition("\n")
    assert link.startswith("http://127.0.0.1:")
    assert code.count("\n") > 15
    assert "\N{LOWER HALF BLOCK}" in code
