"""The database: connections, units of work, and what it means when it does not answer."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import math
import os
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import structlog
from pydantic_core import to_json
from sqlalchemy import Table, event, text
from sqlalchemy.dialects.postgresql import Insert as PostgresInsert
from sqlalchemy.dialects.postgresql import insert as postgres_insert
from sqlalchemy.dialects.sqlite import Insert as SqliteInsert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, InvalidatePoolError
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

from central.core.db import sqlite
from central.core.db.base import Base
from central.core.db.locks import LockOrder, check_locks
from central.core.db.trouble import is_given_up, telling_what_is_wrong
from central.core.errors import ConfigError, DatabaseFullError, DatabaseUnavailableError

log = structlog.stdlib.get_logger(__name__)

PROGRAM: Final = "cast-central"
"""The name of our connections to PostgreSQL."""

CONNECT_TIMEOUT_S: Final = 5.0
"""A server that is there answers in milliseconds, also from afar."""

STATEMENT_TIMEOUT_S: Final = 10.0
"""Every statement of ours reads or writes a page at most: one that takes longer waits for something that is wrong."""

BUSY_TIMEOUT_S: Final = 5.0
"""The longest wait of SQLite for another process that writes, such as `cast-central key add`."""

TRIES: Final = 4
"""Attempts at one unit of work. All lock in one order (ARCHITECTURE.md), so even the second is rare; PostgreSQL takes a
second to notice a deadlock, and callers wait no longer than for one statement."""

PAUSE_S: Final = 0.05
"""The most between two of them."""

FULL_S: Final = 90.0
"""A time longer than a heartbeat: while boxes report, a disk that is full still fails somebody within it."""

WRITTEN_S: Final = 1.0
"""The shortest interval between two checks that write, if nothing else does: anybody may ask for one."""

_PROBE: Final = text("UPDATE alembic_version SET version_num = version_num")
"""A write that changes nothing, of a row that there is in every database of ours."""

T = TypeVar("T")


class Database:
    """One engine. `read` and `write` are units of work; both raise DatabaseUnavailableError if the database is not
    available."""

    def __init__(
        self,
        url: str,
        *,
        pool: int = 5,
        cascades: bool = True,
        lock_order: LockOrder | None = None,
        statement_s: float = STATEMENT_TIMEOUT_S,
    ) -> None:
        """Connects to nothing yet. `pool` bounds the connections. Without `cascades` SQLite does not look after foreign
        keys, which a migration needs. With `lock_order` a unit of work that breaks it raises LockOrderError. A
        statement may take `statement_s` seconds on PostgreSQL. Raises ConfigError when the address is none."""
        self.url: URL = _parsed(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        options: dict[str, Any] = {"pool_size": pool, "max_overflow": 0, "pool_timeout": CONNECT_TIMEOUT_S}
        options["json_serializer"] = lambda value: to_json(value).decode()  # costs a fifth of the standard library's
        if self.is_sqlite:
            options["connect_args"] = {"timeout": BUSY_TIMEOUT_S, "async_creator_fn": sqlite.connect}
        else:
            options["connect_args"] = _postgres_arguments(statement_s)
        self.engine = create_async_engine(self.url, **options)
        reading, writing = self.engine, self.engine
        if self.is_sqlite:
            _prepare_sqlite(self.engine.sync_engine, cascades=cascades)
            # A transaction that begins as a reader and then writes cannot wait for its turn: SQLite refuses it.
            writing = self.engine.execution_options(begin="BEGIN IMMEDIATE")
            reading = self.engine.execution_options(begin="")  # as on PostgreSQL
        else:
            _prepare_postgres(self.engine.sync_engine)
            # In READ COMMITTED a transaction promises nothing to what only reads, and costs two round trips.
            reading = self.engine.execution_options(isolation_level="AUTOCOMMIT")
        self._reading = async_sessionmaker(reading, expire_on_commit=False)
        self._writing = async_sessionmaker(writing, expire_on_commit=False)
        if lock_order is not None:
            check_locks(self.engine.sync_engine, lock_order)
        self._written_at = self._full_at = -math.inf
        # SQLite has one writer at a time: those of this process stand in line here instead of polling there.
        self._turn: contextlib.AbstractAsyncContextManager[Any] = (
            asyncio.Lock() if self.is_sqlite else contextlib.nullcontext()
        )

    @contextlib.asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncSession]:
        """A unit of work that changes nothing."""
        with telling_what_is_wrong():
            async with self._reading() as session:
                yield session

    async def write(self, work: Callable[[AsyncSession], Awaitable[T]]) -> T:
        """Do `work` as one unit, which is all there when this returns, or not at all. An IntegrityError comes through.

        What the database gave up for the sake of another unit (a deadlock, a conflict) is done again from its start, so
        `work` changes nothing but the database.
        """
        try:
            with telling_what_is_wrong():
                result = await self._write(work)
        except DatabaseUnavailableError as error:
            self._written_at = -math.inf
            if isinstance(error, DatabaseFullError):
                self._full_at = time.monotonic()
            raise
        self._written_at = time.monotonic()
        return result

    async def add(self, *rows: Base) -> None:
        """A unit of work that inserts these rows. Raises IntegrityError."""

        async def work(session: AsyncSession) -> None:
            session.add_all(rows)

        await self.write(work)

    async def check(self) -> None:
        """Raise DatabaseUnavailableError if the database does not answer or cannot be written to.

        One byte may fit on a disk where an event does not, so for a while the last write that failed counts.
        """
        async with self.read() as session:
            await session.execute(text("SELECT 1"))
        if time.monotonic() - self._written_at > WRITTEN_S:
            await self.write(lambda session: session.execute(_PROBE))
        if time.monotonic() - self._full_at < FULL_S:
            raise DatabaseFullError(
                f"Within the last {FULL_S:g} s something could not be written, because the disk of the database is "
                "full. Free space on it."
            )

    async def close(self) -> None:
        await self.engine.dispose()

    async def _write(self, work: Callable[[AsyncSession], Awaitable[T]]) -> T:
        attempt = 1
        while True:
            try:
                async with self._turn, self._writing.begin() as session:
                    return await work(session)
            except DBAPIError as error:
                if attempt == TRIES or not is_given_up(error):
                    raise
                log.warning("unit_of_work_repeated", attempt=attempt, message=str(error.orig))
            attempt += 1
            await asyncio.sleep(random.uniform(0, PAUSE_S))  # noqa: S311 - it keeps the two from meeting again


@contextlib.asynccontextmanager
async def opened(
    url: str, *, cascades: bool = True, statement_s: float = STATEMENT_TIMEOUT_S
) -> AsyncIterator[Database]:
    """A database for a command, closed at the end of the block."""
    database = Database(url, cascades=cascades, statement_s=statement_s)
    try:
        yield database
    finally:
        await database.close()


def insert_into(session: AsyncSession, table: type[Base]) -> PostgresInsert | SqliteInsert:
    """An INSERT that can say what happens ON CONFLICT, in the dialect of the session's database."""
    return postgres_insert(table) if is_postgres(session) else sqlite_insert(table)


def is_postgres(session: AsyncSession) -> bool:
    return session.get_bind().dialect.name == "postgresql"


def insert_rows_into(session: AsyncSession, table: type[Base]) -> PostgresInsert | SqliteInsert:
    """The same for many rows at once, with the names of columns: it passes the object mapper by, which is quicker."""
    return _insert_into(table_of(table), is_postgres(session))


def table_of(model: type[Base]) -> Table:
    """The table of a model: a statement on it passes the object mapper by."""
    table = model.__table__
    assert isinstance(table, Table)
    return table


@functools.cache  # one for each of our tables; to make its `excluded` takes as long as to execute it
def _insert_into(table: Table, on_postgres: bool) -> PostgresInsert | SqliteInsert:
    return postgres_insert(table) if on_postgres else sqlite_insert(table)


def sqlite_file(url: str | URL) -> Path | None:
    """The file of an SQLite database; None of another one. Raises ConfigError when the address is none."""
    parsed = _parsed(url) if isinstance(url, str) else url
    in_file = parsed.get_backend_name() == "sqlite" and parsed.database and parsed.database != ":memory:"
    return Path(str(parsed.database)) if in_file else None


def make_directory(url: URL) -> None:
    """The folder of an SQLite file, and the file, for their user alone. Raises OSError."""
    if (file := sqlite_file(url)) is not None:
        make_private(file.parent)
        os.close(open_private(file))  # SQLite gives the files beside it the same mode and owner


def make_private(folder: Path) -> None:
    """Make a folder for its user alone, as `open_private` makes a file. Raises OSError."""
    if folder.is_dir():
        return
    make_private(folder.parent)
    folder.mkdir(mode=0o700, exist_ok=True)
    if os.geteuid() == 0:
        above = folder.parent.stat()
        os.chown(folder, above.st_uid, above.st_gid)


def open_private(file: Path) -> int:
    """A descriptor of the file, which is made for its user alone where there is none.

    Made by root it belongs to the owner of its folder: a command of root's works beside a service of another user.
    Raises OSError.
    """
    try:
        descriptor = os.open(file, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        return os.open(file, os.O_RDWR | os.O_CLOEXEC)
    if os.geteuid() == 0:
        folder = file.parent.stat()
        os.fchown(descriptor, folder.st_uid, folder.st_gid)
    return descriptor


def _parsed(url: str) -> URL:
    try:
        return make_url(url)
    except (ArgumentError, ValueError):  # which would show it, and the password in it
        raise ConfigError(
            "database.url cannot be understood. It is postgresql://user:password@host:5432/name; in the password write "
            "@ : / ? # and % as %40 %3A %2F %3F %23 %25."
        ) from None


def _postgres_arguments(statement_s: float) -> dict[str, Any]:
    return {
        "timeout": CONNECT_TIMEOUT_S,
        "command_timeout": statement_s,
        # Also what the database writes as text has one form, whatever the server is set to.
        "server_settings": {"application_name": PROGRAM, "timezone": "UTC", "datestyle": "ISO"},
    }


def _prepare_postgres(engine: Any) -> None:
    @event.listens_for(engine, "checkout")
    def checked_out(connection: Any, _record: object, _fairy: object) -> None:
        # Spares each caller after a restart of the server an error. SQLAlchemy's ping would, too, and takes three round
        # trips before each unit of work; a connection that the server has ended knows that by itself.
        if connection.driver_connection.is_closed():
            raise InvalidatePoolError


def _prepare_sqlite(engine: Any, *, cascades: bool) -> None:
    keys = f"foreign_keys={'ON' if cascades else 'OFF'}"

    @event.listens_for(engine, "connect")
    def connected(connection: Any, _record: object) -> None:
        # Transactions are ours to begin (below): the driver's own way would begin them too late, and not immediately.
        connection.isolation_level = None
        cursor = connection.cursor()
        # FULL: what was answered with 2xx is there after a power cut too.
        for pragma in ("journal_mode=WAL", "synchronous=FULL", keys, "temp_store=MEMORY"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def begins(connection: Any) -> None:
        if statement := connection.get_execution_options().get("begin", "BEGIN"):
            connection.exec_driver_sql(statement)
