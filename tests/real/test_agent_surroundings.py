"""Files that are replaced and disks that come while the agent runs: the next start has them, though confined."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.agent import Agent
from tests.support.clips import Clips
from tests.support.confined import WITHOUT
from tests.support.looking import wait_moves
from tests.support.media_server import MediaServer
from tests.support.screen import Screen
from tests.support.tools import need
from tests.support.xserver import XServer

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a process an /etc of its own")

HOST = "camera.test"
RENEWED_S = 20.0
"""The longest wait: a look every 5 s, 10 s after the last change at the earliest, and a new spare."""


def python_with_an_etc_of_its_own(folder: Path) -> str:
    """A Python whose /etc is a copy; mounts that are made beside it come to what it starts, as under systemd."""
    shutil.copytree("/etc", folder / "etc", symlinks=True)
    program = folder / "python"
    bind = f"mount --bind {folder}/etc /etc"
    start = f'unshare --mount --propagation shared sh -c \'{bind} && exec {sys.executable} "$@"\' - "$@"'
    program.write_text(f"#!/bin/sh\nexec {start}\n")
    program.chmod(0o755)
    return str(program)


def test_the_next_start_has_what_came(
    means: str,
    xserver: XServer,
    clips: Clips,
    media_server: MediaServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A name that only the new file of the resolver knows, and a film on a disk that was mounted on a media folder:
    neither is there at first; then the spare is made anew, and both play. A stick below a media folder is there at
    once, for the spare that there is."""
    folder = tmp_path / "media"
    (folder / "stick").mkdir(parents=True)
    monkeypatch.setattr(sys, "executable", python_with_an_etc_of_its_own(tmp_path))
    agent = Agent(
        xserver.display,
        env={"CONFINE_WITHOUT": WITHOUT[means]},
        audio__output="none",
        player__media_folders=[str(folder)],
        stream__retry=False,
    )
    url = media_server.url("/film/green.mp4").replace("127.0.0.1", HOST)
    with agent, Screen(xserver.display) as screen:
        assert "cannot be resolved" in agent.start(url, expect=502)["detail"]
        spare = agent.spare_pid()
        hosts = tmp_path / "etc" / "hosts"
        (tmp_path / "etc" / "hosts.new").write_text(f"{hosts.read_text()}\n127.0.0.1 {HOST}\n")
        (tmp_path / "etc" / "hosts.new").replace(hosts)
        agent.wait_until(lambda: agent.children() and spare not in agent.children(), RENEWED_S, "the spare is another")
        agent.wait_for_spare()
        agent.start(url)
        wait_moves(screen, "green")
        agent.stop(all=True)

        spare = agent.spare_pid()
        beside(agent, ["mount", "--bind", str(clips.folder), str(folder / "stick")])
        assert agent.children() == [spare]
        agent.start((folder / "stick" / clips.film_mp4("red").name).as_uri())
        wait_moves(screen, "red")
        agent.stop(all=True)

        spare = agent.spare_pid()
        beside(agent, ["mount", "--bind", str(clips.folder), str(folder)])
        agent.wait_until(lambda: agent.children() and spare not in agent.children(), RENEWED_S, "the spare is another")
        agent.wait_for_spare()
        agent.start((folder / clips.film_mp4("blue").name).as_uri())
        wait_moves(screen, "blue")


def beside(agent: Agent, command: list[str]) -> None:
    """Run a command in the agent's mount namespace."""
    subprocess.run([need("nsenter"), "--target", str(agent.pid), "--mount", *command], check=True, timeout=10)
