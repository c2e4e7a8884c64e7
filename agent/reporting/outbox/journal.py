"""Writes down what happens on the box, for all who pass it on."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final
from uuid import uuid4

import structlog

from agent.events.detector import History
from agent.events.event import Happening, Run
from agent.events.timestamp import Moment
from agent.reporting.outbox.database import OutboxFile
from agent.reporting.outbox.outbox import Outbox
from agent.reporting.outbox.reader import Reader
from agent.reporting.outbox.spool import Spool, spool_file
from agent.types import DeviceInfo, TrackerSnapshot
from cast_wire.kinds import EventKind

log = structlog.get_logger(__name__)


class Journal:
    """From looks at the tracker to events in the outbox, in `folder`. `runtime` is where files are that need only
    outlive this process; `readers` are those who pass events on, as OutboxFile has it."""

    def __init__(
        self, *, folder: Path, runtime: Path, device: DeviceInfo, readers: Mapping[str, Reader], restores: bool
    ) -> None:
        self.run: Final = Run(boot_id=str(uuid4()), agent_version=device.version)
        self.states: Final = itertools.count(1)
        """Numbers the states of the run, whoever is told."""
        file = OutboxFile(folder, run=self.run, readers=readers)
        self.outbox: Final = Outbox(file, Spool(spool_file(runtime, state=folder), run=self.run))
        self._name = device.name
        self._history = History(restores=restores)

    def start(self, looks: Sequence[tuple[TrackerSnapshot, Moment]]) -> None:
        """Begin with what was seen so far: at least how it is now."""
        first, at = looks[0]
        present = tuple(session.session_id for session in first.sessions)
        self.outbox.start(Happening(EventKind.AGENT_STARTED, at, data={"name": self._name}, present=present))
        for look in looks:
            self.look(*look)
        log.info("journal_started", boot_id=self.run.boot_id)

    def look(self, snapshot: TrackerSnapshot, now: Moment) -> None:
        """Something has changed. Whoever changed it waits, which takes microseconds: what can be seen of it must not
        be lost any more."""
        for happening in self._history.look(snapshot, now):
            self.outbox.record(happening)

    async def stop(self, timeout_s: float) -> None:
        """Write down what is left, within this time. Idempotent."""
        await self.outbox.stop(timeout_s)
