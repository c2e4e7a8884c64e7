"""The events of a run of the agent are counted, and it is known up to where its spool is in the outbox."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Iterable, Iterator

from agent.events.event import Occurrence, Run, event_of
from agent.reporting.outbox.event_table import Event
from agent.reporting.outbox.spool import Entry


class Runs:
    """The table `runs`. All here is done in a transaction of the caller's."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._seq = 0
        self._before: dict[str, tuple[int, int]] = {}
        """The number of the last occurrence, and of the last event, of each run, as it was found."""
        self._on_disk: tuple[str, int, int] | None = None
        self.number = 0
        """The number of the last occurrence of the run whose spool is taken care of."""

    def event(self, occurrence: Occurrence) -> Event:
        """The next one of the run."""
        self._seq += 1
        return event_of(occurrence, self._run, self._seq)

    def load(self, db: sqlite3.Connection) -> None:
        """Read the table."""
        self._before = {boot_id: (number, seq) for boot_id, number, seq in db.execute("SELECT * FROM runs")}
        self._on_disk = None

    def forget(self, db: sqlite3.Connection, *, but: Iterable[str]) -> None:
        """Delete the runs whose spools are gone."""
        db.execute("DELETE FROM runs WHERE boot_id NOT IN (SELECT value FROM json_each(?))", (json.dumps(list(but)),))

    def keep(self, db: sqlite3.Connection) -> tuple[str, int, int]:
        """Write how far this run is; to be handed to `kept` after the commit."""
        here = (self._run.boot_id, self.number, self._seq)
        if here != self._on_disk:
            db.execute("INSERT OR REPLACE INTO runs VALUES (?, ?, ?)", here)
        return here

    def kept(self, here: tuple[str, int, int]) -> None:
        self._on_disk = here

    def missing(self, entries: Iterable[Entry]) -> list[Entry]:
        """The events that were not stored."""
        return [entry for entry in entries if entry.number > self._before.get(entry.run.boot_id, (0, 0))[0]]

    @contextlib.contextmanager
    def as_of(self, run: Run) -> Iterator[None]:
        """Attribute what is written in this context to that run."""
        ours = self._run, self._seq, self.number
        self._run, self._seq = run, self._before.get(run.boot_id, (0, 0))[1]
        try:
            yield
        finally:
            self._run, self._seq, self.number = ours
