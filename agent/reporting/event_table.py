"""The events that are kept, within their limits: what is too much goes, the oldest first, and that is told."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from pydantic import JsonValue

from agent.reporting.happening import Happening
from agent.reporting.moment import Moment
from agent.reporting.outbox_schema import DamagedError
from agent.reporting.wire import EventKind

EVENTS_LIMIT: Final = 1_000
BYTES_LIMIT: Final = 5 * 1024 * 1024
AGE_LIMIT_S: Final = 7 * 86_400.0
"""A box that is cut off for good must not fill its disk, and what happened a week ago interests nobody."""

Event = dict[str, Any]


@dataclass(slots=True)
class Lost:
    """Events that nobody will get."""

    since: Moment
    """When the first of them happened."""
    count: int = 0


class EventTable:
    """The table `events`. All here is done in a transaction of the caller's; after one that failed, `load` again."""

    def __init__(self, make_event: Callable[[Happening], Event]) -> None:
        self._make_event = make_event
        self._number = self._bytes = 0
        self._oldest: Moment | None = None
        self.handed_out = 0
        """Up to this position events may have been sent, so they are not changed any more."""

    def load(self, db: sqlite3.Connection) -> None:
        """Look what is there."""
        self._number, self._bytes = db.execute("SELECT count(*), ifnull(sum(bytes), 0) FROM events").fetchone()

    def is_stale(self, now: Moment) -> bool:
        """Whether the oldest is too old."""
        return self._oldest is not None and self._oldest.age(now) > AGE_LIMIT_S

    def append(self, db: sqlite3.Connection, event: Event, at: Moment, *, dropped: int = 0) -> None:
        text = _text(event)
        size = len(text.encode())
        self._number, self._bytes = self._number + 1, self._bytes + size
        db.execute(
            "INSERT INTO events (bytes, dropped, at, synced, uptime, machine_boot, event) VALUES (?, ?, ?, ?, ?, ?, ?)",
            (size, dropped, at.at, at.synced, at.uptime, at.machine_boot, text),
        )

    def forget(self, db: sqlite3.Connection, up_to: int) -> None:
        """Delete what is at this position and before."""
        sizes = [size for (size,) in db.execute("DELETE FROM events WHERE position <= ? RETURNING bytes", (up_to,))]
        self._number, self._bytes = self._number - len(sizes), self._bytes - sum(sizes)

    def make_room(self, db: sqlite3.Connection, now: Moment) -> int:
        """Drop what is too much; how many events that were."""
        number, size, last, real = self._number, self._bytes, 0, 0
        dropped: dict[str, Lost] = {}
        self._oldest = None
        rows = db.execute(
            "SELECT position, bytes, dropped, at, synced, uptime, machine_boot FROM events ORDER BY position"
        )
        for position, bytes_, told, at, synced, uptime, machine_boot in rows:
            happened = Moment(at, bool(synced), uptime, machine_boot)
            is_old = happened.age(now) > AGE_LIMIT_S
            # One place is for the event that tells of it.
            if not is_old and number < EVENTS_LIMIT and size <= BYTES_LIMIT:
                self._oldest = happened
                break
            number, size, last, real = number - 1, size - bytes_, position, real + (not told)
            dropped.setdefault("old" if is_old else "full", Lost(happened)).count += told or 1
        rows.close()
        if last:
            self.forget(db, last)
            for reason, lost in dropped.items():
                self.tell_dropped(db, reason, lost, now)
        return real

    def tell_dropped(self, db: sqlite3.Connection, reason: str, lost: Lost, now: Moment) -> None:
        """One event for all that are dropped one after the other, as long as nobody can have seen it."""
        query = "SELECT position, event FROM events WHERE dropped > 0 AND position > ? ORDER BY position DESC LIMIT 1"
        if (row := db.execute(query, (self.handed_out,)).fetchone()) is not None:
            position, event = row[0], event_in(row[1])
            if event["data"]["reason"] == reason:
                event["data"]["count"] += lost.count
                change = "UPDATE events SET event = ?, dropped = ? WHERE position = ?"
                db.execute(change, (_text(event), event["data"]["count"], position))
                return
        data: dict[str, JsonValue] = {"count": lost.count, "reason": reason, "since": lost.since.utc.isoformat()}
        event = self._make_event(Happening(EventKind.EVENTS_DROPPED, now, data=data))
        self.append(db, event, now, dropped=lost.count)


def event_in(text: str) -> Event:
    """Raises DamagedError."""
    try:
        event: Event = json.loads(text)
    except ValueError as error:
        raise DamagedError("an event cannot be read") from error
    return event


def _text(event: Event) -> str:
    return json.dumps(event, separators=(",", ":"))
