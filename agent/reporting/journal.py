"""Writes down what happens on the box, for all who pass it on."""

from __future__ import annotations

import asyncio
import itertools
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final
from uuid import uuid4

from agent.reporting.happening import Run
from agent.reporting.history import History
from agent.reporting.moment import Moment
from agent.reporting.outbox import Outbox
from agent.reporting.outbox_file import OutboxFile, Reader
from agent.types import DeviceInfo, TrackerSnapshot


class Journal:
    """From looks at the tracker to events in the outbox. `readers` are those who pass them on, as OutboxFile has it."""

    def __init__(self, *, folder: Path, device: DeviceInfo, readers: Mapping[str, Reader], restores: bool) -> None:
        self.run: Final = Run(boot_id=str(uuid4()), agent_version=device.version)
        self.states: Final = itertools.count(1)
        """Numbers the states of the run, whoever is told."""
        self.outbox: Final = Outbox(OutboxFile(folder, run=self.run, readers=readers))
        self._name = device.name
        self._history = History(restores=restores)
        self._seen: deque[tuple[TrackerSnapshot, Moment]] = deque()

    def start(self, looks: Sequence[tuple[TrackerSnapshot, Moment]]) -> None:
        """Begin with what was seen so far: at least how it is now."""
        first, at = looks[0]
        self.outbox.start({session.session_id for session in first.sessions}, at, {"name": self._name})
        for look in looks:
            self.look(*look)

    def look(self, snapshot: TrackerSnapshot, now: Moment) -> None:
        """Something has changed. Takes microseconds: whoever changed it waits, and what this is worth is found out
        after that."""
        if not self._seen:
            asyncio.get_running_loop().call_soon(self._catch_up)
        self._seen.append((snapshot, now))

    async def stop(self, timeout_s: float) -> None:
        """Write down what is left, within this time. Idempotent."""
        self._catch_up()
        await self.outbox.stop(timeout_s)

    def _catch_up(self) -> None:
        while self._seen:
            for happening in self._history.look(*self._seen.popleft()):
                self.outbox.record(happening)
