"""The players that the agent is measured beside, each brought to the brink of playing and then told to play."""

from __future__ import annotations

import json
import os
import select
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from agent.player import pool
from bench.agent import Agent
from bench.calls import Call
from bench.screens import Eye, Panes
from tests.support.tools import end, wait_until

READY_S = 15.0
"""Bare libVLC takes 0.1 s, a pre-roll 0.3 s; the rest is for a loaded machine."""

PREROLL = Path(pool.__file__).with_name("preroll.mp4")

NOBODY = 65534

MPV = ["mpv", "--no-config", "--no-terminal", "--vo=x11", "--ytdl=no", "--osc=no"]
"""`--vo=gpu` shows nothing in an embedded window under GL in software (measured, mpv 0.35)."""

LOW_LATENCY = ["--profile=low-latency", "--rtsp-transport=tcp"]

VLC = ["vlc", "-I", "dummy", "--no-osd", "--no-video-title-show", "--no-disable-screensaver"]
"""A plain vlc without an interface, and without what the agent's player leaves out too."""


class Contender(Protocol):
    """A program that can play, once."""

    name: str
    eye: Eye
    """The screen on which it is seen."""

    def prepare(self) -> None:
        """Come to where nothing but the command to play is missing."""

    def go(self, url: str) -> None:
        """Give the command, and do not wait."""

    def finish(self) -> None:
        """End what plays and come to rest. Idempotent."""


class WarmAgent:
    """The agent with its spare ready, told by `POST /start`."""

    name = "agent"

    def __init__(self, agent: Agent, eye: Eye, *, spares: int = 1) -> None:
        """`spares`: how many it has when nothing is on, one for each engine that was used."""
        self.eye = eye
        self._agent = agent
        self._spares = spares
        self._sent: Call | None = None

    def prepare(self) -> None:
        self._agent.wait_spare(players=self._spares)

    def go(self, url: str) -> None:
        self._sent = self._agent.post_start(url)

    def finish(self) -> None:
        sent, self._sent = self._sent, None
        if sent is not None:
            sent.answer()
        self._agent.stop()
        self._agent.wait_spare(players=self._spares)  # its pre-roll must not disturb whoever is measured next


class BareProcess:
    """A process of bare libVLC (`bench.bare`), warm or pre-rolled, in a window of the bench or in one
    that libVLC opens and closes itself. Several commands may be given to it."""

    def __init__(self, eye: Eye, env: Mapping[str, str], *, preroll: bool = False, own_window: bool = False) -> None:
        self.name = "bare libVLC, pre-rolled" if preroll else "bare libVLC, warm"
        self.eye = eye
        self._env = {**os.environ, **env, "DISPLAY": eye.display}
        self._preroll = preroll
        self._own_window = own_window
        self._process: subprocess.Popen[bytes] | None = None
        self._panes: Panes | None = None
        self._xid = 0

    def prepare(self) -> None:
        self._panes = Panes(self.eye.display)
        command = [sys.executable, "-m", "bench.bare"]
        if self._preroll:
            command += ["--preroll", str(PREROLL), str(self._panes.open(behind=True))]
        if self._own_window:
            command.append("--double")
        else:
            self._xid = self._panes.open()
        self._process = subprocess.Popen(  # noqa: S603 - our own program
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=self._env,
            cwd=Path(__file__).parents[1],
        )
        if self.hears(READY_S) != "ready":
            self.finish()
            raise RuntimeError("Bare libVLC did not start: try `python -m bench.bare` by hand")

    def go(self, url: str) -> None:
        self.tell(f"play {url} {self._xid}")

    def replace(self, url: str) -> None:
        """Stop what is on, then play."""
        self.tell(f"replace {url} {self._xid}")

    def tell(self, command: str) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(command.encode() + b"\n")
        self._process.stdin.flush()

    def hears(self, timeout_s: float) -> str:
        """The next line that it says; empty when it says none in time or has ended."""
        assert self._process is not None
        assert self._process.stdout is not None
        if not select.select([self._process.stdout], [], [], timeout_s)[0]:
            return ""
        return self._process.stdout.readline().decode().strip()

    def finish(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()  # it may hang in libVLC
            end(process)
        panes, self._panes = self._panes, None
        if panes is not None:
            panes.__exit__(None, None, None)


class FreshProgram:
    """A program that is started to play: its start is part of what is measured. `%XID` is the window's
    id, `%HOME` a folder of its own."""

    def __init__(
        self, name: str, command: Sequence[str], eye: Eye, env: Mapping[str, str], *, as_nobody: bool = False
    ) -> None:
        self.name = name
        self.eye = eye
        self._command = list(command)
        self._home = tempfile.TemporaryDirectory(prefix="bench-home-")
        self._env = {**os.environ, **env, "DISPLAY": eye.display, "HOME": self._home.name}
        self._user: int | None = None
        if as_nobody and os.geteuid() == 0:
            self._user = NOBODY
            os.chown(self._home.name, NOBODY, NOBODY)
        self._process: subprocess.Popen[bytes] | None = None
        self._panes: Panes | None = None
        self._xid = 0

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def has_ended(self) -> bool:
        """Return True if it has ended without being told to, after it was told to play."""
        return self._process is not None and self._process.poll() is not None

    @property
    def home(self) -> Path:
        return Path(self._home.name)

    def prepare(self) -> None:
        self._panes = Panes(self.eye.display)
        self._xid = self._panes.open()

    def go(self, url: str) -> None:
        command = [part.replace("%XID", str(self._xid)).replace("%HOME", self._home.name) for part in self._command]
        self._process = subprocess.Popen(  # noqa: S603 - vlc or mpv, with arguments of our own
            [*command, url],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=self._env,
            user=self._user,
            group=self._user,
            extra_groups=None if self._user is None else [],
        )

    def finish(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            end(process)
        panes, self._panes = self._panes, None
        if panes is not None:
            panes.__exit__(None, None, None)


class IdleMpv:
    """`mpv --idle` with a window, told by JSON over its socket."""

    name = "mpv, idle"

    def __init__(self, eye: Eye, env: Mapping[str, str], *options: str) -> None:
        self.eye = eye
        self._env = env
        self._options = options
        self._folder = tempfile.TemporaryDirectory(prefix="bench-mpv-")
        self._program: FreshProgram | None = None
        self._socket: socket.socket | None = None

    def prepare(self) -> None:
        address = f"{self._folder.name}/socket"
        command = [*MPV, *self._options, "--no-audio", "--wid=%XID", f"--input-ipc-server={address}"]
        self._program = FreshProgram(self.name, command, self.eye, self._env)
        self._program.prepare()
        self._program.go("--idle")
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(READY_S)
        wait_until(lambda: self._connects(address), timeout_s=READY_S, what="the socket of mpv")
        self._socket.sendall(b'{"command": ["get_property", "idle-active"]}\n')
        self._socket.recv(4096)

    def go(self, url: str) -> None:
        assert self._socket is not None
        self._socket.sendall(json.dumps({"command": ["loadfile", url]}).encode() + b"\n")

    def finish(self) -> None:
        program, self._program = self._program, None
        if program is not None:
            program.finish()
        if self._socket is not None:
            self._socket.close()

    def _connects(self, address: str) -> bool:
        assert self._socket is not None
        try:
            self._socket.connect(address)
        except OSError:
            return False
        return True


def fresh_vlc(eye: Eye, env: Mapping[str, str], *, sound: bool = False) -> FreshProgram:
    """A new vlc for each stream. It refuses to run as root, so it runs as nobody then."""
    silence = [] if sound else ["--no-audio"]
    return FreshProgram("vlc, fresh", [*VLC, *silence, "--drawable-xid=%XID"], eye, env, as_nobody=True)


def mpv_for_cameras(eye: Eye, env: Mapping[str, str], *options: str) -> FreshProgram:
    """The command that people recommend to each other for RTSP cameras."""
    command = [*MPV, *LOW_LATENCY, *options, "--no-audio", "--wid=%XID"]
    return FreshProgram(" ".join(["mpv --profile=low-latency", *options]), command, eye, env)


def looping_mpv(eye: Eye, env: Mapping[str, str], option: str) -> FreshProgram:
    """mpv that begins again at the end of a stream, and so when it breaks off."""
    return FreshProgram(f"mpv {option}", [*MPV, option, "--no-audio", "--wid=%XID"], eye, env)


def looping_vlc(eye: Eye, env: Mapping[str, str]) -> FreshProgram:
    return FreshProgram("vlc --loop", [*VLC, "--loop", "--no-audio", "--drawable-xid=%XID"], eye, env, as_nobody=True)


def cold_mpv(eye: Eye, env: Mapping[str, str], *, sound: bool = False) -> FreshProgram:
    silence = [] if sound else ["--no-audio"]
    return FreshProgram("mpv, cold", [*MPV, *silence, "--wid=%XID"], eye, env)
