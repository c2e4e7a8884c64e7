"""The outbox on disk: events in the order in which they happened, until every reader has passed them on.

SQLite with a write-ahead log that is flushed at each commit, so that what was kept outlives a kill and a power cut.
Everything here blocks for the disk; `outbox` has the thread that it lives in. Nothing here raises for the disk: what
cannot be kept is counted, and told as soon as it can be.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Final

import structlog
from pydantic import JsonValue

from agent.events.event import Occurrence, Run
from agent.events.timestamp import Timestamp, timestamp
from agent.reporting.outbox.dedup import Dedup, Row
from agent.reporting.outbox.dropped import Losses
from agent.reporting.outbox.event_table import EventTable
from agent.reporting.outbox.reader import Batch, OutboxStatus, Reader
from agent.reporting.outbox.runs import Runs
from agent.reporting.outbox.schema import connect, is_damage, set_aside
from agent.reporting.outbox.spool import entries_in
from agent.util.files import write_whole
from cast_wire.kinds import EventKind

FILE: Final = "outbox.db"
SET_ASIDE: Final = "outbox.db.bad"
SPOOL_SET_ASIDE: Final = "outbox.spool.bad"

DEAD_LETTERS_LIMIT: Final = 50
"""Kept for whoever looks into the file."""

log = structlog.get_logger(__name__)


class OutboxFile:
    """Used by one thread. `readers` are those who pass events on, by names without blanks: one that is new, or talks
    to somebody else than before, gets what happens from now on."""

    def __init__(
        self, folder: Path, *, run: Run, readers: Mapping[str, Reader], clock: Callable[[], Timestamp] = timestamp
    ) -> None:
        self._path = folder / FILE
        self._runs = Runs(run)
        self._readers = dict(readers)
        self._clock = clock
        self._db: sqlite3.Connection | None = None
        self._generation = 0
        self._dedup = Dedup()
        self._has_begun = False
        self._sessions_kept: tuple[Row, ...] | None = None
        """The sessions as stored on the disk; None if that is not known."""
        self._cursors: dict[str, int] = {}
        """The position up to which each reader has settled; on the disk, too, as soon as that can be written."""
        self._identities: dict[str, str] = {}
        """The identity to whom each reader passes events on; empty if none was ever known."""
        self._newcomers: set[str] = set()
        """Readers who had no place when this began: what earlier runs have left is none of their business, unless such
        a run was killed before it could write the place."""
        self._table = EventTable(self._runs.event, self._readers_of)
        self._losses = Losses(self._table)
        self._was_set_aside: str | None = None
        """The reason why the file was set aside, until it is told."""
        self._problem: str | None = None
        self.status = OutboxStatus(dict.fromkeys(readers, 0))
        self.kept_up_to = 0
        """The number of the last occurrence of this run that needs its spool no more."""

    # --- what happened ---

    def begin(self, left: bytes = b"") -> None:
        """Store the events that earlier runs have left in the spool, under those runs."""
        entries, damaged = entries_in(left)
        if self._write(lambda db: self._runs.forget(db, but={entry.run.boot_id for entry in entries})):
            missing = self._runs.missing(entries)
            for (run, readers), of_run in groupby(missing, key=lambda entry: (entry.run, entry.readers)):
                self._newcomers -= {name for name, whom in readers.items() if self._identities.get(name) == whom}
                each = list(of_run)
                with self._runs.as_of(run):
                    self.record([entry.occurrence for entry in each], each[-1].number)
            if missing:
                log.info("spool_resumed", occurrences=len(missing))
        elif entries:  # which of them are here already cannot be seen, and nothing may be told twice
            for entry in entries:
                self.lose(1, "disk", entry.occurrence.moment, entry.occurrence.kind)
        if damaged:
            aside = self._path.with_name(SPOOL_SET_ASIDE)
            log.error("spool_damaged", lines=damaged, set_aside_as=str(aside))
            with contextlib.suppress(OSError):  # kept for diagnosis
                write_whole(aside, left.decode(errors="replace"), durable=False)
            self.lose(damaged, "damaged", self._clock())
        if self._newcomers >= self._readers.keys():  # what is on is news to them, and what was on is not
            self._dedup = Dedup()
        self._has_begun = True

    def record(self, occurrences: Sequence[Occurrence], number: int = 0) -> None:
        """Store the events among these that are new; `number` is that of the last one in the spool."""
        self._runs.number = number
        news = [new for occurrence in occurrences for new in self._news(occurrence)]
        events = [(self._runs.event(new), new.moment, self._readers_of(new.kind)) for new in news]

        def insert(db: sqlite3.Connection) -> None:
            for event, at, readers in events:
                self._table.append(db, event, at, readers)

        if events and not self._write(insert):
            for _, at, readers in events:
                self._losses.add(1, "disk", at, readers)
            self._show()

    def lose(self, count: int, reason: str, since: Timestamp, kind: EventKind | None = None) -> None:
        """Count events of this kind that were not kept; None for kinds that are not known."""
        self._losses.add(count, reason, since, self._readers_of(kind))
        self._show()

    # --- readers ---

    def follow(self, readers: Mapping[str, Reader]) -> None:
        """Set the readers that pass events on, at least one. A reader that is no longer among them loses its place."""
        self.close()  # the next opening reads the places of the readers
        self._readers = dict(readers)
        self._cursors = {name: at for name, at in self._cursors.items() if name in readers}
        self._write(_nothing)

    def next(self, reader: str, limit: int) -> Batch:
        """The first `limit` events that this reader has not settled."""
        if self._losses.are_untold or self._was_set_aside is not None or self._table.is_stale(self._clock()):
            self._write(_nothing)
        try:
            found = self._table.waiting(self._open(), reader, self._cursors.get(reader, 0), limit)
        except (sqlite3.Error, OSError) as error:
            self._failed(error)
            return Batch(reader)
        return Batch(reader, tuple(found.values()), tuple(found), self._generation)

    def settle(self, batch: Batch, count: int, refused: Mapping[int, str]) -> None:
        """Settle the first `count` events of the batch: they are with their receiver, or were refused for good.
        `reasons` holds the reasons of refused ones by their places."""
        if batch.generation != self._generation or not count:
            return
        self._cursors[batch.reader] = max(batch.positions[count - 1], self._cursors.get(batch.reader, 0))

        def keep_refused(db: sqlite3.Connection) -> None:
            for place, reason in refused.items():
                letter = (batch.reader, json.dumps(batch.events[place]), reason)
                db.execute("INSERT INTO dead_letters (reader, event, reason) VALUES (?, ?, ?)", letter)
            too_many = "DELETE FROM dead_letters WHERE number <= (SELECT max(number) - ? FROM dead_letters)"
            db.execute(too_many, (DEAD_LETTERS_LIMIT,))

        self._write(keep_refused)

    def close(self) -> None:
        """Close the file. Idempotent; the next request opens it again."""
        if self._db is not None:
            with contextlib.suppress(sqlite3.Error):
                self._db.close()
            self._db = None

    # --- the file ---

    def _write(self, work: Callable[[sqlite3.Connection], None]) -> bool:
        """Do `work`, and all that was left to do, in one transaction. Return False if that failed."""
        for _ in range(2):  # a damaged file is set aside, and a new one begun
            try:
                with self._transaction() as db:
                    self._tell_losses(db)
                    work(db)
                    sessions = self._keep(db)
                    dropped = self._table.make_room(db, self._clock(), self._cursors)
                    losses = self._losses.keep(db, self._readers, dropped)
                    place = self._runs.keep(db)
            except (sqlite3.Error, OSError) as error:
                if not self._failed(error):
                    return False
                continue
            self._losses.kept(losses)
            self._was_set_aside = None
            self._sessions_kept = sessions
            self._runs.kept(place)
            if self._has_begun:
                self.kept_up_to = self._runs.number
            if self._problem is not None:
                log.info("outbox_recovered", file=str(self._path))
                self._problem = None
            self._show()
            return True
        return False

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        db = self._open()
        db.execute("BEGIN IMMEDIATE")
        yield db
        db.execute("COMMIT")  # after any error the file is closed, which rolls back

    def _open(self) -> sqlite3.Connection:
        """Open the file. Raises sqlite3.Error and OSError."""
        if self._db is not None:
            return self._db
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        db = connect(self._path, check=not self._generation and not self._has_begun)
        try:
            newest = db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'events'").fetchone()
            places = {name: (whom, at, lost) for name, whom, at, lost in db.execute("SELECT * FROM readers")}
            for name, reader in self._readers.items():
                whom, at, lost = places.get(name, ("", 0, 0))
                if reader.identity not in (None, whom):
                    whom, at, lost = reader.identity, newest[0] if newest else 0, 0
                    self._newcomers |= set() if self._generation else {name}
                self._identities[name] = whom
                self._cursors[name] = max(self._cursors.get(name, 0), at)
                self._losses.load(name, lost)
            self._table.load(db)
            if not self._has_begun:
                self._dedup.load(db.execute("SELECT * FROM sessions").fetchall())
            self._runs.load(db)
        except BaseException:
            db.close()
            raise
        self._db = db
        self._show()
        return db

    def _keep(self, db: sqlite3.Connection) -> tuple[Row, ...]:
        """Write the pending records, and delete those that all readers have settled."""
        db.execute("DELETE FROM readers")
        rows = [
            (name, self._identities[name], self._cursors[name], self._losses.on_disk(name)) for name in self._readers
        ]
        db.executemany("INSERT INTO readers VALUES (?, ?, ?, ?)", rows)
        self._table.forget(db, self._cursors)
        sessions = self._dedup.rows()
        if sessions != self._sessions_kept:
            db.execute("DELETE FROM sessions")
            db.executemany("INSERT INTO sessions VALUES (?, ?, ?)", sessions)
        return sessions

    def _failed(self, error: Exception) -> bool:
        """Handle an error. Return True if another try makes sense at once, because a damaged file has been set
        aside."""
        self.close()
        aside = self._path.with_name(SET_ASIDE)
        problem = f"{self._path} cannot be written ({error}), so events are lost. Free some space, or replace the disk."
        if is_damage(error):
            try:
                set_aside(self._path, aside)
            except OSError as failure:
                problem = f"{self._path} is damaged and cannot be set aside ({failure.strerror}). Remove it."
            else:
                log.error("outbox_set_aside", file=str(self._path), set_aside_as=str(aside), reason=str(error))
                self._generation += 1
                self._cursors, self._table.handed_out, self._sessions_kept = {}, {}, None
                self._was_set_aside = str(error)
                return True
        if self._problem is None:
            log.warning("outbox_failed", file=str(self._path), reason=str(error))
        self._problem = problem
        self._show()
        return False

    def _show(self) -> None:
        """Let others see how it is."""
        queued = dict(self.status.queued)
        if self._db is not None:
            queued = {name: self._table.number_waiting(self._db, name, at) for name, at in self._cursors.items()}
        dropped = {name: self._losses.of(name) for name in self._readers}
        self.status = OutboxStatus(queued, dropped, self._problem)

    # --- helpers ---

    def _news(self, occurrence: Occurrence) -> list[Occurrence]:
        if self._generation and occurrence.present is not None:
            self._dedup.assume(occurrence.present)
        return self._dedup.news(occurrence)

    def _readers_of(self, kind: EventKind | None) -> tuple[str, ...]:
        new = set() if self._has_begun else self._newcomers
        return tuple(name for name, reader in self._readers.items() if reader.wants(kind) and name not in new)

    def _tell_losses(self, db: sqlite3.Connection) -> None:
        now = self._clock()
        if self._was_set_aside is not None:
            data: dict[str, JsonValue] = {"set_aside_as": SET_ASIDE, "reason": self._was_set_aside}
            event = self._runs.event(Occurrence(EventKind.OUTBOX_SET_ASIDE, now, data=data))
            self._table.append(db, event, now, self._readers_of(EventKind.OUTBOX_SET_ASIDE))
        self._losses.tell(db, now)


def _nothing(db: sqlite3.Connection) -> None:
    """All that was left to do is done anyway."""
