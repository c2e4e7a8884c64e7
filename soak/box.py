"""The box under test: a real X server, a real media server, the real daemon as a process, and eyes on all three."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.processes import command_of, processes_with, zombies_of
from soak.media import Kind, Shelf, Source
from soak.model import Model, Wanted
from soak.watch import Watch
from tests.support.agent import Agent
from tests.support.behaviour import GOOD, Behaviour, Then
from tests.support.clips import Clips
from tests.support.media_server import MediaServer
from tests.support.rtsp_server import RtspServer
from tests.support.screen import grab
from tests.support.sound import PulseServer
from tests.support.xserver import XServer

MARK = "CAST_SOAK_RUN"
"""A variable in the environment of the daemon and so of all its processes, however they are orphaned."""

START_TIMEOUT_S = 8.0
STALL_TIMEOUT_S = 2.0
"""Shorter than the defaults, so that more happens in the same time."""


SILENT = "silent"
"""The one fault of a camera: it sends nothing, and its connection stays."""

FAULTS: dict[str, Behaviour] = {
    "close": Behaviour(then=Then.CLOSE),
    "reset": Behaviour(then=Then.RESET),
    "hold": Behaviour(then=Then.HOLD),
    "trickle": Behaviour(then=Then.TRICKLE),
    "404": Behaviour(status=404, then=Then.CLOSE),
    "503": Behaviour(status=503, then=Then.CLOSE),
}

SPARES = 3
"""The spare of libVLC, and from the first camera and the first picture on those of mpv and for pictures."""

MPV_WORD = "--input-ipc-client="
"""An option on the command line of mpv, and of the launcher that is about to become it."""

PILLOW_WORD = "agent.player.pillow.worker"

LOG_TAIL_BYTES = 200_000
"""About 30 s of the log, most of which are the questions of this program."""


class LogTail:
    """The daemon's log, read once, over its restarts."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._read = 0
        self._pids: dict[str, int] = {}

    def player_of(self, session_id: str) -> int | None:
        """The process that the session was opened in last; it may have ended."""
        with self._file.open("rb") as log:
            log.seek(self._read)
            whole, newline, _ = log.read().rpartition(b"\n")
        self._read += len(whole) + len(newline)
        for line in whole.splitlines():
            if b"stream_opened" in line:
                with contextlib.suppress(ValueError, KeyError):
                    event = json.loads(line)
                    self._pids[event["session_id"]] = int(event["pid"])
        return self._pids.get(session_id)

    def last(self, count: int) -> list[str]:
        """Its last lines, whoever wrote them, without the questions that are asked here all the time."""
        with self._file.open("rb") as log:
            log.seek(max(0, self._file.stat().st_size - LOG_TAIL_BYTES))
            lines = log.read().decode(errors="replace").splitlines()
        return [line for line in lines if '"path": "/status", "status": 200' not in line][-count:]


@dataclass
class Box:
    """Everything that a step may use."""

    x: XServer
    server: MediaServer
    cameras: RtspServer
    shelf: Shelf
    agent: Agent
    watch: Watch
    log: LogTail
    mark: str
    pictures: Path
    """The folder for screenshots."""
    model: Model = field(default_factory=Model)
    times: dict[str, list[float]] = field(default_factory=dict)
    """The measurements on the way, in seconds."""
    lives: int = 1
    """The number of times that the daemon was started."""
    gone: list[Wanted] = field(default_factory=list)
    """The streams that ended in this step. Their servers are healed after the step, because they may come back until
    their successor is seen."""
    doing: str = ""
    """The media of the current step, for the case that it fails."""

    def status(self) -> Any:
        return self.agent.status()

    def kept(self) -> list[str]:
        """The sessions that are on the disk, the bottom first; what a daemon that is killed now would restore."""
        try:
            kept = json.loads((self.agent.folder / "state" / "wanted.json").read_text())
        except FileNotFoundError:
            return []
        return [session["session_id"] for session in kept["sessions"]]

    def processes(self) -> list[int]:
        """All that the daemon, or one before it, has started and that still runs; the daemon included."""
        return processes_with(MARK, self.mark)

    def count_processes(self) -> tuple[int, int, int]:
        """The number of `processes` that are mpv, that show pictures, and of the others: the daemon and players of
        libVLC."""
        commands = [command for pid in self.processes() if (command := command_of(pid))]
        by_mpv = sum(any(word.startswith(MPV_WORD) for word in command) for command in commands)
        by_pillow = sum(PILLOW_WORD in command for command in commands)
        return by_mpv, by_pillow, len(commands) - by_mpv - by_pillow

    def zombies(self) -> int:
        return zombies_of(self.agent.pid)

    def player(self, wanted: Wanted) -> int | None:
        """The process that plays it now."""
        pid = self.log.player_of(wanted.id)
        return pid if pid in self.agent.children() else None

    def spare(self) -> int:
        """A warm one; waits until only spares are there beside a player. Raises AssertionError."""
        self.agent.wait_for_spare()
        top = self.model.top
        playing = None if top is None else self.log.player_of(top.id)

        def others() -> list[int]:
            return [pid for pid in self.agent.children() if pid != playing]

        self.agent.wait_until(lambda: 1 <= len(others()) <= SPARES, 6, "spares are the only other players")
        return others()[0]

    def faults_of(self, source: Source) -> list[str]:
        """The faults that its server may have."""
        return [SILENT] if source.kind is Kind.CAMERA else list(FAULTS)

    def break_(self, wanted: Wanted, fault: str) -> None:
        """Its server misbehaves from now on."""
        wanted.broken = True
        if wanted.source.kind is Kind.CAMERA:
            self.cameras.silence(wanted.source.path)
        else:
            self.server.behave(wanted.source.path, FAULTS[fault])

    def mend(self, *gone: Wanted) -> None:
        """Heal the servers of these."""
        for wanted in gone:
            if wanted.broken and wanted.source.kind is Kind.CAMERA:
                self.cameras.silence(wanted.source.path, False)
            elif wanted.broken:
                self.server.behave(wanted.source.path, GOOD)
            wanted.broken = False

    def note(self, what: str, seconds: float) -> None:
        self.times.setdefault(what, []).append(seconds)

    def picture(self, name: str) -> str:
        """Keep what the screen shows; the path of the file, or why there is none."""
        try:
            self.pictures.mkdir(parents=True, exist_ok=True)
            file = self.pictures / f"{name}.png"
            grab(self.x.display).save(file)
            return str(file)
        except (ConnectionError, OSError) as error:
            return f"(no picture: {error})"


DISPLAYS = range(2000, 60_000)
"""Xvfb itself takes the lowest free number, and would give ours to somebody else while our X server is dead."""


@contextlib.contextmanager
def open_box(pictures: Path) -> Iterator[Box]:
    """Start everything; all of it ends with the block. Raises what went wrong."""
    mark = f"{os.getpid()}-{time.monotonic_ns()}"
    with contextlib.ExitStack() as running:
        clips = Clips()
        server = running.enter_context(MediaServer(clips))
        cameras = running.enter_context(RtspServer(clips))
        shelf = Shelf(server, cameras)
        shelf.make_all()
        x = running.enter_context(_on_a_number_of_its_own())
        pulse = running.enter_context(PulseServer())  # without a sound device a radio is refused
        agent = running.enter_context(
            Agent(
                x.display,
                env={**pulse.env, MARK: mark},
                audio__output="pulse",
                player__start_timeout=START_TIMEOUT_S,
                player__stall_timeout=STALL_TIMEOUT_S,
            )
        )
        watch = running.enter_context(Watch(x.display, agent.status))
        yield Box(x, server, cameras, shelf, agent, watch, LogTail(agent.folder / "log"), mark, pictures)


def _on_a_number_of_its_own() -> XServer:
    """An X server, not started, on a number that no other program takes by itself."""
    x = XServer()
    x.display = f":{DISPLAYS[os.getpid() % len(DISPLAYS)]}"
    return x
