"""The tables of the outbox, and a file that turns out to be none."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Final

VERSION: Final = 2

_TABLES: Final = """
BEGIN;
CREATE TABLE events (
    position INTEGER PRIMARY KEY AUTOINCREMENT,  -- never used again, so that a reader's place stays right
    bytes INTEGER NOT NULL,
    dropped INTEGER NOT NULL,                    -- of events_dropped: how many; 0 for anything else
    at REAL NOT NULL, synced INTEGER NOT NULL, uptime REAL NOT NULL, machine_boot TEXT NOT NULL,
    readers TEXT NOT NULL,                       -- who is to pass it on: names with a blank before and after each
    event TEXT NOT NULL
);
CREATE TABLE readers (
    name TEXT PRIMARY KEY, identity TEXT NOT NULL, position INTEGER NOT NULL, dropped INTEGER NOT NULL
);
CREATE TABLE sessions (id TEXT PRIMARY KEY, phase TEXT NOT NULL, framed INTEGER NOT NULL);
-- Of a run: up to which occurrence its spool is in here, and its last event.
CREATE TABLE runs (boot_id TEXT PRIMARY KEY, number INTEGER NOT NULL, seq INTEGER NOT NULL);
CREATE TABLE dead_letters (
    number INTEGER PRIMARY KEY AUTOINCREMENT, reader TEXT NOT NULL, event TEXT NOT NULL, reason TEXT NOT NULL
);
PRAGMA user_version = 2;
COMMIT;
"""

_PASSING: Final = frozenset(
    {
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
    }
)
"""Errors of the disk, and not of the file on it."""


class DamagedError(sqlite3.DatabaseError):
    """The content of the file is not what was written."""


def connect(path: Path, *, check: bool) -> sqlite3.Connection:
    """Open it, or make it (0600). `check` reads all of it, up to some megabytes. Raises sqlite3.Error and OSError."""
    # SQLite would make it readable for all; its other files take over the mode of this one.
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    db = sqlite3.connect(path, timeout=1.0, isolation_level=None, check_same_thread=False)
    try:
        # One process alone: no shared memory, fewer calls, and a second one is kept out whatever happens.
        db.execute("PRAGMA locking_mode = EXCLUSIVE")
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.execute("PRAGMA wal_autocheckpoint = 250")  # pages of 4 KiB: the log stays about 1 MB
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if version == 0:
            db.executescript(_TABLES)
        elif version != VERSION:
            raise DamagedError(f"it was made by another version ({version})")
        elif check and (found := db.execute("PRAGMA quick_check(1)").fetchone()[0]) != "ok":
            raise DamagedError(found)
    except BaseException:
        db.close()
        raise
    return db


def is_damage(error: Exception) -> bool:
    """Return True if the content of the file is the problem, not the disk."""
    code = getattr(error, "sqlite_errorcode", None)
    return isinstance(error, sqlite3.DatabaseError) and (code is None or code & 0xFF not in _PASSING)


def set_aside(path: Path, aside: Path) -> None:
    """Rename it, with the log that belongs to it. Raises OSError."""
    for ending in ("-wal", "-shm", "-journal", ""):
        file = path.with_name(path.name + ending)
        if file.exists():
            file.replace(aside.with_name(aside.name + ending))
