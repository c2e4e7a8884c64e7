"""The real API, tracker, keeper and reporter as a process that can be killed, with scripted players: lives of some
milliseconds.

`python -m tests.support.faked_agent FOLDER` begins a life for each line on its standard input, and writes
`PID PORT` when that one answers. The imports are done once, by the parent of all lives. It reports when FOLDER holds an
enrolment, and to CAST_AGENT_WEBHOOK.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType

import structlog

from agent import files, keeper
from agent.config import Settings
from agent.keeper import Keeper
from agent.log import configure
from agent.playback import Limits
from agent.reporting.reporter import Reporter
from agent.reporting.view import View
from agent.sections import LogSettings
from agent.tracker import StreamTracker
from agent.types import DeviceInfo
from agent.urls import redact
from tests.support.api import served_by
from tests.support.fakes import FakePlayers, FakeStage


class FakedAgent:
    """`with FakedAgent(folder) as agent: port = agent.live(); ...; agent.kill()`, again and again.

    `fsync_s` is how long the disk takes to be sure; the log goes to `log`, as JSON lines.
    """

    def __init__(self, folder: Path, *, fsync_s: float = 0.0, log: Path | None = None) -> None:
        self._command = [sys.executable, "-m", "tests.support.faked_agent", str(folder), "--fsync", str(fsync_s)]
        self._command += [] if log is None else ["--log", str(log)]
        self._pid = 0

    def __enter__(self) -> FakedAgent:
        self._lives = subprocess.Popen(self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pid:
            self.kill()
        self._lives.communicate(timeout=10)

    def live(self) -> int:
        """Begin a life; the port on which it answers."""
        assert self._lives.stdin is not None
        assert self._lives.stdout is not None
        self._lives.stdin.write("\n")
        self._lives.stdin.flush()
        pid, port = self._lives.stdout.readline().split()
        self._pid = int(pid)
        return int(port)

    def kill(self) -> None:
        """SIGKILL, as a crash."""
        os.kill(self._pid, 9)
        self._pid = 0


async def _live(folder: Path) -> None:
    settings = Settings()
    players = FakePlayers()
    stage = FakeStage(players)
    tracker = StreamTracker(
        players=players, stage=stage, limits=Limits(start_timeout=5.0, stall_timeout=5.0), redact=redact
    )
    kept = Keeper(tracker, folder=folder, restore=True)
    reporter = Reporter(
        folder=folder,
        runtime=folder,
        settings=settings.central,
        webhooks=lambda: settings.webhook,
        device=DeviceInfo(id="4f0c", name="Living Room", version="0.1.0"),
        restores=True,
        view=lambda: View("Living Room", tracker.snapshot(), tracker.volume),
    )

    def changed() -> None:
        kept.changed()
        reporter.changed(tracker.snapshot())

    tracker.changed = changed
    await reporter.find_out()
    await kept.start()
    reporter.start()
    async with served_by(
        tracker, stage, players, kept=kept.kept, reporting=lambda: reporter.status, told=lambda: reporter.webhooks
    ) as (_, port):
        print(os.getpid(), port, flush=True)
        await asyncio.Event().wait()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--fsync", type=float, default=0.0)
    parser.add_argument("--log", type=Path)
    options = parser.parse_args()
    keeper.RESTORES_ALLOWED = 1_000_000  # type: ignore[misc]  # it is killed again and again
    if options.log is None:
        structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    else:
        configure(LogSettings(format="json", level="debug"), stream=options.log.open("a"))
    fsync = os.fsync

    def slowly(descriptor: int) -> None:
        time.sleep(options.fsync)
        fsync(descriptor)

    files.os.fsync = slowly
    for _ in sys.stdin:
        if (child := os.fork()) == 0:
            asyncio.run(_live(options.folder))
        os.waitpid(child, 0)


if __name__ == "__main__":
    main()
