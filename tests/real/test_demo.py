"""`make run` as a newcomer calls it: on a screen, without one, beside another agent, with keys, on a busy port."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.access.keys import KeyFile
from agent.cli.kept_key import keep
from tests.support.agent import Agent
from tests.support.receiver import Receiver
from tests.support.screen import Screen
from tests.support.sockets import free_port
from tests.support.tools import end
from tests.support.xserver import XServer

ROOT = Path(__file__).parents[2]
SHOWN_S = 40.0
ENDED_S = 15.0


class Demo:
    """The command, and its standard output through a pipe, as it comes."""

    def __init__(self, folder: Path, port: int, display: str | None) -> None:
        kept = {name: os.environ[name] for name in ("PATH", "LANG", "HOME") if name in os.environ}
        settings = {"API__PORT": port, "STATE__DIR": folder / "state", "DISCOVERY__ENABLED": "false"}
        environment = kept | {f"CAST_AGENT_{name}": str(value) for name, value in settings.items()}
        environment["XDG_RUNTIME_DIR"] = str(folder)
        if display is not None:
            environment["DISPLAY"] = display
        self.process = subprocess.Popen(
            [sys.executable, ROOT / "scripts" / "demo.py"],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.said = ""

    def until(self, words: str) -> str:
        """The output so far when it has these words, or the process ends. Kills a process that says nothing of the
        kind."""
        timer = threading.Timer(SHOWN_S, self.process.kill)
        timer.start()
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said += line
            if words in line:
                break
        timer.cancel()
        timer.join()
        return self.said

    def ended(self) -> int:
        self.until("it has ended, and says nothing more")
        return self.process.wait(ENDED_S)

    def interrupt(self) -> int:
        """Press Ctrl-C; the exit code."""
        self.process.send_signal(signal.SIGINT)
        return self.ended()


@pytest.fixture
def demos(tmp_path: Path) -> Iterator[list[Demo]]:
    """The demos that a test begins, which are not left behind."""
    begun: list[Demo] = []
    yield begun
    for demo in begun:
        end(demo.process, with_signal=signal.SIGINT)


def test_on_a_screen(demos: list[Demo], xserver: XServer, tmp_path: Path) -> None:
    """The picture is on a display that answers, and each line comes when it is true."""
    demos.append(demo := Demo(tmp_path, free_port(), xserver.display))
    said = demo.until("Ctrl-C ends the agent")
    assert f"Using the screen {xserver.display}\n" in said
    assert "The picture was on the screen after " in said
    assert "s: look at the screen" in said
    with Screen(xserver.display) as screen:
        assert screen.colour_at_centre() != "black"
    assert demo.interrupt() == 0
    assert "Stopping" in demo.said


def test_without_a_screen(demos: list[Demo], tmp_path: Path) -> None:
    """Without a screen there is a virtual one, a sentence says why, and a picture of it lies where it says."""
    demos.append(demo := Demo(tmp_path, free_port(), ":59999"))
    said = demo.until("Ctrl-C ends the agent")
    assert "There is no X server on the display :59999" in said
    assert "a virtual one of 1280x720" in said
    assert "open .cache/first-picture.png to see it" in said
    assert (ROOT / ".cache" / "first-picture.png").read_bytes().startswith(b"\x89PNG")
    assert demo.interrupt() == 0


def test_beside_a_running_agent(demos: list[Demo], xserver: XServer, tmp_path: Path) -> None:
    """The picture of another one is not called its own: it says who has the port, and how both can run."""
    with Agent(xserver.display) as other:
        demos.append(demo := Demo(tmp_path, other.port, xserver.display))
        assert demo.ended() == 78
        assert other.status()["last"] is None
    assert "picture was" not in demo.said
    assert f"On port {other.port} answers a cast-agent that runs already" in demo.said
    assert f"CAST_AGENT_API__PORT={other.port + 1} CAST_AGENT_STATE__DIR=" in demo.said


def test_on_a_busy_port(demos: list[Demo], xserver: XServer, tmp_path: Path) -> None:
    """If another program has the port, that is said, with the way to take another one."""
    with Receiver() as stranger:
        demos.append(demo := Demo(tmp_path, stranger.port, xserver.display))
        assert demo.ended() == 78
    assert f"On port {stranger.port} answers another program" in demo.said


@pytest.mark.parametrize("kept", [True, False])
def test_where_a_key_is_needed(demos: list[Demo], xserver: XServer, tmp_path: Path, kept: bool) -> None:
    """A key that is kept for this machine's commands is used; without one the agent runs, and it says what to do."""
    key = KeyFile(tmp_path / "state").add("here")
    if kept:
        keep(tmp_path / "state", key)
    demos.append(demo := Demo(tmp_path, free_port(), xserver.display))
    said = demo.until("Ctrl-C ends the agent" if kept else "needs a key")
    assert ("The picture was on the screen" in said, "key add here --keep" in said) == (kept, not kept)
    assert key not in said
    assert demo.interrupt() == 0
