"""The meaning of errors of the database, in words for whoever runs it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Final

import structlog
from sqlalchemy.exc import DBAPIError, IntegrityError, InterfaceError, OperationalError, StatementError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from central.core.errors import DatabaseFullError, DatabaseUnavailableError

log = structlog.stdlib.get_logger(__name__)

_AGAIN: Final = "Try again in some seconds; the service reconnects automatically."

_FULL: Final = (
    "The disk of the database is full. Free space on it; retention.events and retention.streams say what is kept for "
    "how long. Boxes keep what they could not send."
)
_DAMAGED: Final = "The database is damaged. Restore it from a backup."
_DISK: Final = "The disk of the database fails, or is full. Look for its errors in the log of that machine."
_BUSY: Final = "The database is kept busy by another process or another call for too long."
_READ_ONLY: Final = "The database can only be read. Check that it is no standby, and who may write to its files."

_SENTENCES: Final[Mapping[str, str]] = {
    "53100": _FULL,
    "SQLITE_FULL": _FULL,
    "25006": _READ_ONLY,
    "SQLITE_READONLY": _READ_ONLY,
    "SQLITE_CANTOPEN": "The database cannot be opened. Check that its folder is there, and who may write to it.",
    "58": _DISK,
    "SQLITE_IOERR": _DISK,
    "XX001": _DAMAGED,
    "XX002": _DAMAGED,
    "SQLITE_CORRUPT": _DAMAGED,
    "SQLITE_NOTADB": _DAMAGED,
    "SQLITE_BUSY": f"{_BUSY} {_AGAIN}",
    "SQLITE_LOCKED": f"{_BUSY} {_AGAIN}",
    "40": f"{_BUSY} {_AGAIN}",
    "55P03": f"{_BUSY} {_AGAIN}",
    "57014": f"{_BUSY} {_AGAIN}",
    "53300": "The database takes no more connections. Raise its max_connections, or lower database.pool.",
    "53200": "The database is out of memory.",
    "28": "The database refuses the connection ({said}). Check database.url.",
    "3D": "The database refuses the connection ({said}). Check database.url.",
    "08": f"The connection to the database was lost. {_AGAIN}",
    "53": f"The connection to the database was lost. {_AGAIN}",
    "57": f"The connection to the database was lost. {_AGAIN}",
}
"""The codes by the beginning of PostgreSQL's SQLSTATE or of SQLite's name of the error; the longest that fits
counts."""


@contextlib.contextmanager
def telling_what_is_wrong() -> Iterator[None]:
    """Turn errors that are not ours into DatabaseUnavailableError. An IntegrityError comes through."""
    try:
        yield
    except IntegrityError:
        raise
    except (DBAPIError, PoolTimeoutError, OSError, TimeoutError) as error:
        trouble = _trouble_of(error)
        if trouble is None:
            raise
        message = str(getattr(error, "orig", error))
        log.warning("database_call_failed", error=type(error).__name__, message=message, meaning=str(trouble))
        raise trouble from error


def is_given_up(error: DBAPIError) -> bool:
    """Return True if PostgreSQL rolled the unit of work back because of another one: serialization_failure,
    deadlock_detected."""
    return getattr(error.orig, "sqlstate", None) in ("40001", "40P01")


def is_of_the_data(error: StatementError) -> bool:
    """Return True if the same statement with other values could succeed: nothing is wrong with the database."""
    return isinstance(error, IntegrityError) or not isinstance(error, DBAPIError) or _trouble_of(error) is None


def _trouble_of(error: Exception) -> DatabaseUnavailableError | None:
    if isinstance(error, DBAPIError):
        name = str(getattr(error.orig, "sqlstate", None) or getattr(error.orig, "sqlite_errorname", None) or "")
        fitting = [beginning for beginning in _SENTENCES if name.startswith(beginning)]
        if fitting:
            sentence = _SENTENCES[max(fitting, key=len)]
            kind = DatabaseFullError if sentence is _FULL else DatabaseUnavailableError
            return kind(sentence.format(said=str(error.orig).rpartition(">: ")[2]))
        if not (error.connection_invalidated or isinstance(error, OperationalError | InterfaceError)):
            return None
    return DatabaseUnavailableError(f"The database does not answer. {_AGAIN}")
