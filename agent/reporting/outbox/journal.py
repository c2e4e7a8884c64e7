"""Writes down what happens on the box, for all who pass it on."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final
from uuid import uuid4

import structlog

from agent.events.bus import Event
from agent.events.event import Occurrence, Run
from agent.events.timestamp import Timestamp
from agent.reporting.outbox.database import OutboxFile
from agent.reporting.outbox.outbox import Outbox
from agent.reporting.outbox.reader import Reader
from agent.reporting.outbox.recorder import Recorder
from agent.reporting.outbox.spool import Spool, spool_file
from agent.snapshot import TrackerSnapshot
from agent.types import DeviceInfo
from cast_wire.kinds import EventKind

log = structlog.get_logger(__name__)


class Journal:
    """The way from the bus to the outbox, in `folder`. `runtime` is the folder for files that need only outlive this
    process; `readers` are those of the OutboxFile."""

    def __init__(
        self, *, folder: Path, runtime: Path, device: DeviceInfo, readers: Mapping[str, Reader], restores: bool
    ) -> None:
        self.run: Final = Run(boot_id=str(uuid4()), agent_version=device.version)
        self.states: Final = itertools.count(1)
        """Numbers the states of the run, whoever is told."""
        file = OutboxFile(folder, run=self.run, readers=readers)
        spool = Spool(spool_file(runtime, state=folder), run=self.run, readers=readers)
        self.outbox: Final = Outbox(file, spool)
        self._name = device.name
        self._recorder = Recorder(restores=restores)

    def start(self, snapshot: TrackerSnapshot, at: Timestamp, since: Iterable[Event] = ()) -> None:
        """Begin with the sessions of the start, and with the events since then."""
        present = tuple(session.session_id for session in snapshot.sessions)
        self.outbox.start(Occurrence(EventKind.AGENT_STARTED, at, data={"name": self._name}, present=present))
        for occurrence in self._recorder.begin(snapshot, at):
            self.outbox.record(occurrence)
        for event in since:
            self.take(event)
        log.info("journal_started", boot_id=self.run.boot_id)

    def take(self, event: Event) -> None:
        """Keep it, if it is to be told later. Whoever published it waits, which takes microseconds: what can be seen of
        it must not be lost any more."""
        if (occurrence := self._recorder.take(event)) is not None:
            self.outbox.record(occurrence)

    async def stop(self, timeout_s: float) -> None:
        """Write the remaining events, within this time. Idempotent."""
        await self.outbox.stop(timeout_s)
