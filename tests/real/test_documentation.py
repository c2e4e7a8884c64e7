"""The commands in the documentation are typed into a shell, against a real agent; only the hosts are others."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.agent import Agent
from tests.support.documentation import snippets
from tests.support.media_server import MediaServer
from tests.support.xserver import XServer

COMMAND_S = 30.0


class Shell:
    """Runs lines as a person types them on the box, where `cast-agent` is installed, and no sudo is needed."""

    def __init__(self, agent: Agent, media: MediaServer, folder: Path) -> None:
        bin_ = folder / "bin"
        bin_.mkdir()
        (bin_ / "cast-agent").write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m agent.cli "$@"\n')
        (bin_ / "sudo").write_text('#!/bin/sh\nexec "$@"\n')
        for file in bin_.iterdir():
            file.chmod(0o755)
        self._env = {**agent.env, "PATH": f"{bin_}:{os.environ['PATH']}", "BOX": agent.base}
        self._folder = folder
        self.is_called = {
            "http://nas.local/film.mp4": media.url("/film/green.mp4"),
            "http://192.168.1.9/door.mp4": media.url("/film/blue.mp4"),
            "http://192.168.1.9/nothing.mp4": media.url("/nothing.mp4"),
            "http://door.local/live.m3u8": media.url("/live-hls/index.m3u8"),
            "http://cam.local/live.m3u8": media.url("/live-hls/index.m3u8"),
            "rtsp://door.local/main": media.url("/live.ts"),
            "http://127.0.0.1:8090": agent.base,
            "http://192.168.1.50:8090": agent.base,
            '--on "Living room"': f"--on 127.0.0.1:{agent.port}",
            '--on "living room"': f"--on 127.0.0.1:{agent.port}",
        }
        """The replacements of words in the documentation: addresses, and the ids of the answers that it shows."""

    def type(self, line: str, *, expect: int = 0) -> str:
        """Type a line and return its standard output and standard error."""
        for theirs, ours in self.is_called.items():
            line = line.replace(theirs, ours)
        done = subprocess.run(
            ["bash", "-c", line], env=self._env, cwd=self._folder, capture_output=True, text=True, timeout=COMMAND_S
        )
        assert done.returncode == expect, (line, done)
        return done.stdout + done.stderr

    def answers(self, snippet: str) -> list[dict[str, Any]]:
        """The JSON that each of its `curl` lines gets. An answer that the page shows has the members of the real
        one."""
        got: list[dict[str, Any]] = []
        for line in snippet.splitlines():
            if line.startswith("curl") and "/snapshot" not in line:
                answer = json.loads(self.type(f"curl -sS {line.removeprefix('curl ')}"))
                assert "code" not in answer, (line, answer)
                got.append(answer)
            elif line.startswith("# {"):
                shown = json.loads(line[2:])
                assert shown.keys() <= got[-1].keys(), (line, got[-1])
                self.is_called[shown.get("session_id", "none")] = got[-1].get("session_id", "none")
            else:
                self.type(line)
        return got


@pytest.fixture
def agent(xserver: XServer) -> Iterator[Agent]:
    with Agent(xserver.display, device__name="Living room") as agent:
        yield agent


@pytest.fixture
def shell(agent: Agent, media_server: MediaServer, tmp_path: Path) -> Shell:
    return Shell(agent, media_server, tmp_path)


def test_the_first_lines_show_a_film(shell: Shell) -> None:
    started, stopped = shell.answers(snippets("README.md", "cast-agent")[0])
    assert (started["status"], stopped["message"]) == ("success", "Stream stopped")


def test_the_five_calls(shell: Shell) -> None:
    (snippet,) = snippets("README.md", "Five calls")
    assert [answer["status"] for answer in shell.answers(snippet)] == ["success"] * 3 + ["casting", "success"]


def test_the_calls(shell: Shell, tmp_path: Path) -> None:
    """The calls work, from the first start to the picture of the screen."""
    (snippet,) = snippets("docs/api.md", "Examples")
    answers = shell.answers(snippet)
    assert [answer["status"] for answer in answers if "stream" not in answer] == ["success"] * (len(answers) - 1)
    assert (tmp_path / "screen.png").read_bytes().startswith(b"\x89PNG")


def test_the_doorbell(shell: Shell) -> None:
    (snippet,) = snippets("docs/api.md", "Interruptions")
    assert [answer["status"] for answer in shell.answers(snippet)] == ["success"] * 3


def test_the_command_line(shell: Shell, agent: Agent) -> None:
    """Each command says line by line what the page shows, but for what holds a digit: addresses, times and ids."""
    (snippet,) = snippets("docs/cli.md", "The command line", "console")
    shell.type("cast-agent start http://nas.local/film.mp4 --wait --title Film")
    agent.wait_until(lambda: agent.status()["stream"]["position"], 5, "the film tells how far it is")
    for part in re.split(r"^\$ ", snippet, flags=re.MULTILINE)[1:]:
        line, _, shown = part.partition("\n")
        if line == "cast-agent discover":  # which needs a network of its own: test_discovery
            continue
        if "status" in line:
            agent.wait_state("playing")
        said = shell.type(line).splitlines()
        for wanted in filter(None, shown.splitlines()):
            pattern = r"\S*\d\S*".join(map(re.escape, re.split(r"\S*\d\S*", wanted)))
            assert any(re.fullmatch(pattern, one) for one in said), (line, wanted, said)


def test_who_gets_in(shell: Shell, agent: Agent) -> None:
    """The keys' commands work in their order, and the line for curl lets in whoever has the key."""
    (snippet,) = snippets("docs/security.md", "Keys")
    add, list_, revoke, *_, call = snippet.strip().splitlines()
    key = shell.type(f"{add.split('#')[0]} 2>/dev/null").strip()
    assert "home-assistant" in shell.type(list_)
    assert json.loads(shell.type(call.replace("cak_...", key).replace("curl", "curl -s")))["status"] == "idle"
    shell.type(revoke)
    assert agent.call("GET", "/health/live").json["auth"] == "closed"
