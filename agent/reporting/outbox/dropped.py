"""Events that readers will never get: counted for each of them, and told as soon as that can be written."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Mapping

from agent.events.timestamp import Timestamp
from agent.reporting.outbox.event_table import EventTable, Lost


class Losses:
    """The counts of lost events. They are stored in the table `readers`; its rows and transactions are the caller's."""

    def __init__(self, table: EventTable) -> None:
        self._table = table
        self._untold: dict[tuple[str, tuple[str, ...]], Lost] = {}
        """The events that could not be written, by reason and readers."""
        self._kept: dict[str, int] = {}
        """The count of each reader, as on the disk."""

    def load(self, reader: str, number: int) -> None:
        """Take over the count that was found on the disk."""
        self._kept[reader] = number

    def add(self, count: int, reason: str, since: Timestamp, readers: Collection[str]) -> None:
        """Count events that could not be written."""
        if readers:
            self._untold.setdefault((reason, tuple(readers)), Lost(since)).count += count

    @property
    def are_untold(self) -> bool:
        return bool(self._untold)

    def on_disk(self, reader: str) -> int:
        return self._kept[reader]

    def of(self, reader: str) -> int:
        """The losses of a reader since it has its place here."""
        untold = sum(lost.count for (_, readers), lost in self._untold.items() if reader in readers)
        return self._kept.get(reader, 0) + untold

    def tell(self, db: sqlite3.Connection, now: Timestamp) -> None:
        """Write the events that report those that could not be written."""
        for (reason, readers), lost in self._untold.items():
            self._table.tell_dropped(db, reason, lost, now, readers)

    def keep(self, db: sqlite3.Connection, readers: Collection[str], dropped: Mapping[str, int]) -> dict[str, int]:
        """Write the counts, including the latest drops; to be passed to `kept` after the commit."""
        totals = {name: self.of(name) + dropped.get(name, 0) for name in readers}
        changed = [(number, name) for name, number in totals.items() if number != self._kept[name]]
        db.executemany("UPDATE readers SET dropped = ? WHERE name = ?", changed)
        return totals

    def kept(self, totals: dict[str, int]) -> None:
        self._kept = totals
        self._untold.clear()
