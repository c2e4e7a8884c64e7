"""The real API, tracker, saver and reporter as a process that can be killed, with scripted players: lives of some
milliseconds.

`python -m tests.support.faked_agent FOLDER` begins a life for each line on its standard input, which may say after how
many seconds it is to be killed, and writes `NUMBER PID PORT` when that one answers, and `NUMBER 0 0` when it is over.
The imports are done once, by the parent of all lives. It reports when FOLDER holds an enrolment, and to
CAST_AGENT_WEBHOOK.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

import structlog

from agent.casting.limits import Limits
from agent.casting.parts import SessionParts
from agent.casting.tracker import StreamTracker
from agent.config.loader import load_settings
from agent.config.settings import LogSettings
from agent.events.bus import EventBus
from agent.host.log import configure
from agent.media.redaction import redact
from agent.persistence import saver
from agent.persistence.saver import Saver
from agent.reporting.central.state import View
from agent.reporting.http import circuit
from agent.reporting.reporter import ReportedBox, Reporter
from agent.types import DeviceInfo
from tests.support.api import served_by
from tests.support.fakes import FakePlayers, FakeScreen, FakeStage

if TYPE_CHECKING:
    from _typeshed import FileDescriptorLike


class FakedAgent:
    """`with FakedAgent(folder) as agent: port = agent.live(); ...; agent.kill()`, again and again.

    `fsync_s` is how long the disk takes to be sure, `pauses_s` the longest pause after a first report that failed; the
    log of each life goes to a file of its own in `logs`, named by its number, as JSON lines.
    """

    def __init__(
        self, folder: Path, *, fsync_s: float = 0.0, pauses_s: float = circuit.PAUSES.base_s, logs: Path | None = None
    ) -> None:
        self._command = [sys.executable, "-m", "tests.support.faked_agent", str(folder)]
        self._command += ["--fsync", str(fsync_s), "--pauses", str(pauses_s)]
        self._command += [] if logs is None else ["--logs", str(logs)]
        self._number = self._pid = 0

    def __enter__(self) -> FakedAgent:
        self._lives = subprocess.Popen(self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pid:
            self.kill()
        self._lives.communicate(timeout=10)

    def live(self, *, killed_after_s: float | None = None) -> int:
        """Begin a life; the port on which it answers, or 0 when it was killed before it did."""
        assert self._lives.stdin is not None
        assert self._lives.stdout is not None
        self._number += 1
        self._lives.stdin.write(f"{'' if killed_after_s is None else killed_after_s}\n")
        self._lives.stdin.flush()
        while True:
            number, pid, port = map(int, self._lives.stdout.readline().split())
            if number == self._number:
                self._pid = pid if killed_after_s is None else 0
                return port

    def kill(self) -> None:
        """SIGKILL, as a crash."""
        os.kill(self._pid, 9)
        self._pid = 0


async def _live(folder: Path, number: int) -> None:
    settings = load_settings()
    players, bus = FakePlayers(), EventBus()
    stage = FakeStage(players)
    tracker = StreamTracker(
        SessionParts(players, stage, redact), limits=Limits(start_timeout=5.0, stall_timeout=5.0), emit=bus.publish
    )
    kept = Saver(tracker, FakeScreen(), bus=bus, folder=folder, restore=True)
    reporter = Reporter(
        ReportedBox(
            DeviceInfo(id="4f0c", name="Living Room", version="0.1.0"),
            restores=True,
            view=lambda: View("Living Room", tracker.snapshot(), tracker.volume),
            bus=bus,
        ),
        folder=folder,
        runtime=folder,
        settings=settings.central,
        webhooks=lambda: settings.webhook,
    )

    await reporter.find_out()
    await kept.start()
    reporter.start()
    async with served_by(
        tracker, stage, players, kept=kept.kept, reporting=lambda: reporter.status, told=lambda: reporter.webhooks
    ) as (_, port):
        _say(number, os.getpid(), port)
        await asyncio.Event().wait()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--fsync", type=float, default=0.0)
    parser.add_argument("--pauses", type=float, default=circuit.PAUSES.base_s)
    parser.add_argument("--logs", type=Path)
    options = parser.parse_args()
    saver.RESTORES_ALLOWED = 1_000_000  # it is killed again and again
    circuit.PAUSES = replace(circuit.PAUSES, base_s=options.pauses)  # type: ignore[misc]
    fsync = os.fsync

    def slowly(fd: FileDescriptorLike) -> None:
        time.sleep(options.fsync)
        fsync(fd)

    os.fsync = slowly
    for number, seconds in enumerate(sys.stdin, start=1):
        if (child := os.fork()) == 0:
            _log(options.logs, number)
            asyncio.run(_live(options.folder, number))
        _wait(child, seconds.strip())
        _say(number, 0, 0)


def _say(number: int, pid: int, port: int) -> None:
    os.write(1, f"{number} {pid} {port}\n".encode())  # whole or not at all, whenever it is killed


def _log(logs: Path | None, number: int) -> None:
    if logs is None:
        structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    else:
        configure(LogSettings(format="json", level="debug"), stream=(logs / str(number)).open("a"))


def _wait(child: int, seconds: str) -> None:
    killer = threading.Timer(float(seconds), os.kill, (child, signal.SIGKILL)) if seconds else None
    if killer is not None:
        killer.start()
    os.waitpid(child, 0)
    if killer is not None:
        killer.join()  # before there is a fork again


if __name__ == "__main__":
    main()
