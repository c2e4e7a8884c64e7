"""The events that are kept, within their limits: what is too much goes, the oldest first, and that is told."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import JsonValue

from agent.events.event import Occurrence
from agent.events.timestamp import Timestamp
from agent.reporting.outbox.schema import DamagedError
from cast_wire.kinds import EventKind

EVENTS_LIMIT: Final = 1_000
BYTES_LIMIT: Final = 5 * 1024 * 1024
AGE_LIMIT_S: Final = 7 * 86_400.0
"""A box that is cut off for good must not fill its disk, and what happened a week ago interests nobody."""

Event = dict[str, Any]
Places = Mapping[str, int]
"""The position up to which each reader has settled."""


@dataclass(slots=True)
class Lost:
    """Events that their readers will never get."""

    since: Timestamp
    """The time of the first of them."""
    count: int = 0


class EventTable:
    """The table `events`. All here is done in a transaction of the caller's; after one that failed, `load` again."""

    def __init__(
        self, make_event: Callable[[Occurrence], Event], readers_of: Callable[[EventKind], Collection[str]]
    ) -> None:
        self._make_event = make_event
        self._readers_of = readers_of
        self._number = self._bytes = 0
        self._oldest: Timestamp | None = None
        self.handed_out: dict[str, int] = {}
        """The position up to which a reader may have sent events, so that they are not changed any more."""

    def load(self, db: sqlite3.Connection) -> None:
        """Read the table."""
        self._number, self._bytes = db.execute("SELECT count(*), ifnull(sum(bytes), 0) FROM events").fetchone()

    def is_stale(self, now: Timestamp) -> bool:
        """Return True if the oldest event is too old."""
        return self._oldest is not None and self._oldest.age(now) > AGE_LIMIT_S

    def append(
        self, db: sqlite3.Connection, event: Event, at: Timestamp, readers: Collection[str], *, dropped: int = 0
    ) -> None:
        """Keep it for these readers."""
        text = _text(event)
        size = len(text.encode())
        self._number, self._bytes = self._number + 1, self._bytes + size
        db.execute(
            "INSERT INTO events (bytes, dropped, at, synced, uptime, machine_boot, readers, event)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (size, dropped, at.at, at.synced, at.uptime, at.machine_boot, _names(readers), text),
        )

    def waiting(self, db: sqlite3.Connection, reader: str, place: int, limit: int) -> dict[int, Event]:
        """The first events that a reader has not settled, by their positions. Raises DamagedError."""
        query = "SELECT position, event FROM events WHERE position > ? AND instr(readers, ?) ORDER BY position LIMIT ?"
        found = {position: event_in(event) for position, event in db.execute(query, (place, _name(reader), limit))}
        self.handed_out[reader] = max(self.handed_out.get(reader, 0), *found, 0)
        return found

    def number_waiting(self, db: sqlite3.Connection, reader: str, place: int) -> int:
        query = "SELECT count(*) FROM events WHERE position > ? AND instr(readers, ?)"
        number: int = db.execute(query, (place, _name(reader))).fetchone()[0]
        return number

    def forget(self, db: sqlite3.Connection, places: Places) -> None:
        """Delete the events that no reader waits for."""
        is_needed = " OR ".join(["position > ? AND instr(readers, ?)"] * len(places))
        values = [value for reader, place in places.items() for value in (place, _name(reader))]
        self._delete(db, f"NOT ({is_needed})", values)

    def make_room(self, db: sqlite3.Connection, now: Timestamp, places: Places) -> Mapping[str, int]:
        """Drop the excess. Returns the number of events for each reader."""
        number, size, last = self._number, self._bytes, 0
        lost: Counter[str] = Counter()
        dropped: dict[tuple[str, tuple[str, ...]], Lost] = {}
        self._oldest = None
        rows = db.execute(
            "SELECT position, bytes, dropped, readers, at, synced, uptime, machine_boot FROM events ORDER BY position"
        )
        for position, bytes_, told, names, at, synced, uptime, machine_boot in rows:
            happened = Timestamp(at, bool(synced), uptime, machine_boot)
            is_old = happened.age(now) > AGE_LIMIT_S
            # One place is for the event that tells of it.
            if not is_old and number < EVENTS_LIMIT and size <= BYTES_LIMIT:
                self._oldest = happened
                break
            number, size, last = number - 1, size - bytes_, position
            losers = tuple(reader for reader in names.split() if places.get(reader, position) < position)
            lost.update(() if told else losers)
            dropped.setdefault(("old" if is_old else "full", losers), Lost(happened)).count += told or 1
        rows.close()
        if last:
            self._delete(db, "position <= ?", [last])
            for (reason, losers), what in dropped.items():
                self.tell_dropped(db, reason, what, now, losers)
        return lost

    def tell_dropped(
        self, db: sqlite3.Connection, reason: str, lost: Lost, now: Timestamp, readers: Collection[str]
    ) -> None:
        """One event for all that are dropped one after the other, as long as nobody can have seen it; for those of the
        readers who want to be told such things."""
        told = set(readers) & set(self._readers_of(EventKind.EVENTS_DROPPED))
        if not told:
            return
        seen = max(self.handed_out.get(reader, 0) for reader in told)
        query = (
            "SELECT position, event FROM events WHERE dropped > 0 AND position > ? AND readers = ?"
            " ORDER BY position DESC LIMIT 1"
        )
        if (row := db.execute(query, (seen, _names(told))).fetchone()) is not None:
            position, event = row[0], event_in(row[1])
            if event["data"]["reason"] == reason:
                event["data"]["count"] += lost.count
                change = "UPDATE events SET event = ?, dropped = ? WHERE position = ?"
                db.execute(change, (_text(event), event["data"]["count"], position))
                return
        data: dict[str, JsonValue] = {"count": lost.count, "reason": reason, "since": lost.since.utc.isoformat()}
        event = self._make_event(Occurrence(EventKind.EVENTS_DROPPED, now, data=data))
        self.append(db, event, now, told, dropped=lost.count)

    def _delete(self, db: sqlite3.Connection, which: str, values: Collection[object]) -> None:
        query = f"DELETE FROM events WHERE {which} RETURNING bytes"  # noqa: S608 - the text is ours
        sizes = [size for (size,) in db.execute(query, tuple(values))]
        self._number, self._bytes = self._number - len(sizes), self._bytes - sum(sizes)


def event_in(text: str) -> Event:
    """The event in a row. Raises DamagedError."""
    try:
        event: Event = json.loads(text)
    except ValueError as error:
        raise DamagedError("an event cannot be read") from error
    return event


def _text(event: Event) -> str:
    return json.dumps(event, separators=(",", ":"))


def _name(reader: str) -> str:
    """The name for searches."""
    return f" {reader} "


def _names(readers: Collection[str]) -> str:
    return f" {' '.join(sorted(readers))} "
