"""A database as one file, and back: for SQLite a copy of the file, for PostgreSQL a dump of its own tools."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, func, inspect, select, text
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import AsyncSession

from central.core.db.base import Base
from central.core.db.engine import CONNECT_TIMEOUT_S, PROGRAM, Database, open_private, opened
from central.core.db.trouble import telling_what_is_wrong
from central.core.errors import ConfigError, DatabaseUnavailableError
from central.core.threads import in_thread

LOCKS_S: Final = 60
"""The longest wait for tables that others have locked: a migration is quicker."""

_SAID: Final = 2_000
"""Characters of what a tool says that are told: its last lines have the reason."""


def copy_sqlite(file: Path, to: Path) -> None:
    """Copy a SQLite database as it is at one moment, whoever writes to it. Blocks. Raises OSError, sqlite3.Error."""
    os.close(open_private(to))
    with contextlib.closing(sqlite3.connect(file)) as source, contextlib.closing(sqlite3.connect(to)) as copy:
        source.backup(copy)


@contextlib.asynccontextmanager
async def snapshot(database: Database, to: Path) -> AsyncIterator[AsyncSession]:
    """Write the database as it is at one moment to the file `to`, and open a session that sees the same moment.

    Nobody waits for it. Raises DatabaseUnavailableError, or ConfigError without pg_dump.
    """
    with telling_what_is_wrong():
        if database.is_sqlite:
            await in_thread(_checked_copy, Path(str(database.url.database)), to)
            async with opened(f"sqlite+aiosqlite:///{to}") as copy, copy.read() as session:
                yield session
            return
        async with database.engine.connect() as connection:
            await connection.execution_options(isolation_level="REPEATABLE READ")
            name = await connection.scalar(text("SELECT pg_export_snapshot()"))
            options = ("--format=custom", *_OWNERLESS, f"--lock-wait-timeout={LOCKS_S}s")
            await _run("pg_dump", *options, f"--snapshot={name}", f"--file={to}", url=database.url)
            async with AsyncSession(connection) as session:
                yield session


async def load_postgres(database: Database, dump: Path) -> None:
    """Put the tables of a dump in place of those that are there, all at once or not at all.

    Needs room beside `dump` for all of it as text. Raises DatabaseUnavailableError, or ConfigError without the tools.
    """
    script = dump.with_suffix(".sql")
    await _run("pg_restore", *_OWNERLESS, f"--file={script}", str(dump), url=database.url)
    names = ", ".join(f'"{name}"' for name in (*Base.metadata.tables, "alembic_version"))
    commands = (f"SET LOCAL lock_timeout = '{LOCKS_S}s'", f"DROP TABLE IF EXISTS {names} CASCADE")
    options = ("--no-psqlrc", "--quiet", "--single-transaction", "--set=ON_ERROR_STOP=1")
    steps = (*(f"--command={command}" for command in commands), f"--file={script}")
    await _run("psql", *options, *steps, url=database.url)


async def revision(session: AsyncSession) -> str | None:
    """The revision of the tables; None where there are none."""
    connection = await session.connection()
    return await connection.run_sync(lambda c: MigrationContext.configure(c).get_current_revision())


async def rows(session: AsyncSession) -> dict[str, int]:
    """The number of rows of each table."""
    tables = Base.metadata.sorted_tables
    return {table.name: await session.scalar(select(func.count()).select_from(table)) or 0 for table in tables}


async def has_tables(session: AsyncSession) -> bool:
    """Return True if the database has any table of ours, whatever is in it."""

    def found(connection: Connection) -> bool:
        return not Base.metadata.tables.keys().isdisjoint(inspect(connection).get_table_names())

    return await (await session.connection()).run_sync(found)


async def users(session: AsyncSession) -> int:
    """The number of other connections of this program to a PostgreSQL database."""
    others = text(
        "SELECT count(*) FROM pg_stat_activity "
        "WHERE datname = current_database() AND application_name = :program AND pid <> pg_backend_pid()"
    )
    return await session.scalar(others, {"program": PROGRAM}) or 0


_OWNERLESS: Final = ("--no-owner", "--no-privileges")
"""The tables belong to whoever restores them."""


def _checked_copy(file: Path, to: Path) -> None:
    try:
        copy_sqlite(file, to)
        with contextlib.closing(sqlite3.connect(to)) as copy:
            [found] = copy.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.Error as error:
        raise DatabaseUnavailableError(f"The database {file} cannot be copied: {error}.") from error
    if found != "ok":
        raise DatabaseUnavailableError(f"The database {file} is damaged ({found}). Restore it from an older backup.")


async def _run(program: str, *arguments: str, url: URL) -> None:
    """Run a tool of PostgreSQL on that database; it takes as long as the database is large, and ends with us.

    Raises ConfigError without it, and DatabaseUnavailableError with what it says when it fails.
    """
    path = shutil.which(program)
    if path is None:
        raise ConfigError(
            f"{program} saves and restores a PostgreSQL database, and is missing: apt install postgresql-client."
        )
    child = await asyncio.create_subprocess_exec(
        path,
        *arguments,
        env=os.environ | _environment(url),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        _, said = await child.communicate()
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
    if child.returncode:
        raise DatabaseUnavailableError(f"{program} failed: {said.decode(errors='replace').strip()[-_SAID:]}")


def _environment(url: URL) -> dict[str, str]:
    """The address of a database as libpq's variables: a password is in no list of processes."""
    given = {
        "PGHOST": url.host or url.query.get("host"),
        "PGPORT": url.port or url.query.get("port"),
        "PGUSER": url.username,
        "PGPASSWORD": url.password,
        "PGDATABASE": url.database,
        "PGSSLMODE": url.query.get("ssl"),
        "PGCONNECT_TIMEOUT": f"{CONNECT_TIMEOUT_S:.0f}",
    }
    return {name: str(value) for name, value in given.items() if value is not None}
