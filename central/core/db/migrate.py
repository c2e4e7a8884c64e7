"""Brings the tables up to date at start, one instance at a time."""

from __future__ import annotations

import contextlib
import math
import os
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import structlog
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncSession

from central.core.db.dump import copy_sqlite
from central.core.db.engine import Database, make_directory, opened, sqlite_file
from central.core.db.file_lock import locked
from central.core.errors import ConfigError

log = structlog.stdlib.get_logger(__name__)

LOCK_TIMEOUT_S: Final = 60.0
"""The longest wait for another instance that migrates."""

BACKUPS: Final = 3
"""Backups of an SQLite database: as many versions to go back to; each is as large as the database was."""

_LOCK_NUMBER: Final = 0x63617374  # "cast": the key of the advisory lock


async def migrate(database: Database, revision: str = "head") -> None:
    """Upgrade to `revision`; safe for several instances at once. A SQLite database is backed up beside itself before.
    Raises DatabaseUnavailableError, or ConfigError when the database was made by a newer version, its folder cannot be
    used, or there is no room for the backup."""

    async def work(session: AsyncSession) -> None:
        connection = await session.connection()
        if not database.is_sqlite:
            await connection.execute(text(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT_S:g}s'"))
            await connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK_NUMBER})"))
        await connection.run_sync(_to_revision, revision)

    with _usable_folder(database), _file_lock(database):
        # Without the order of locks, which is for units of work, and without cascades, which cannot be switched off
        # inside the transaction: an SQLite table that is made anew is dropped and renamed, and with cascades that
        # deletes what refers to it.
        async with opened(database.url.render_as_string(hide_password=False), cascades=False) as apart:
            await apart.write(work)


@contextlib.contextmanager
def in_use(database: Database) -> Iterator[None]:
    """Keep `cast-central restore` away from an SQLite database until the end of the block. PostgreSQL knows who is
    connected.

    Raises ConfigError while such a restore is under way, or when the folder of the database cannot be used.
    """
    with contextlib.ExitStack() as held:
        with _usable_folder(database):
            if (file := sqlite_file(database.url)) is not None:
                try:
                    held.enter_context(locked(use_file(file), shared=True))
                except BlockingIOError as error:
                    raise ConfigError(
                        f"A backup is being restored into {file}. Start cast-central after that."
                    ) from error
        yield


def use_file(database: Path) -> Path:
    """The file that those who use an SQLite database have locked."""
    return Path(f"{database}.use")


def known_revisions() -> Sequence[str]:
    """All revisions of this program, the newest first."""
    scripts = ScriptDirectory.from_config(configuration())
    return [script.revision for script in scripts.walk_revisions()]


def configuration() -> Config:
    """Alembic's, without a file of its own."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    return config


def _to_revision(connection: Connection, revision: str) -> None:
    config = configuration()
    scripts = ScriptDirectory.from_config(config)
    now = MigrationContext.configure(connection).get_current_revision()
    known = known_revisions()
    if now is not None and now not in known:
        raise ConfigError(
            "The database was made by a newer version of cast-central than this one. Install that version again, or "
            "name another database in the section [database] of the configuration."
        )
    target = scripts.get_current_head() if revision == "head" else revision
    if now == target:
        return
    config.attributes["connection"] = connection
    is_sqlite = connection.dialect.name == "sqlite"
    if is_sqlite and now is not None:
        back_up(Path(str(connection.engine.url.database)), now)
    if target in known and (now is None or _is_older(scripts, now, target)):
        command.upgrade(config, revision)
    else:
        command.downgrade(config, revision)
    if is_sqlite and (broken := connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall()):
        raise RuntimeError(f"the migration to {target} left rows that refer to nothing: {broken[:5]}")  # rolled back
    log.info("database_migrated", before=now, after=target)


def back_up(file: Path, revision: str) -> None:
    """A copy of a SQLite database beside it, as it was at that revision; BACKUPS are kept. Raises ConfigError."""
    copy = file.with_name(f"{file.name}.before-{revision}")
    unfinished = copy.with_name(f"{copy.name}.part")
    try:
        copy_sqlite(file, unfinished)
        os.replace(unfinished, copy)
    except (OSError, sqlite3.Error) as error:
        with contextlib.suppress(OSError):
            unfinished.unlink(missing_ok=True)
        megabytes = math.ceil(file.stat().st_size / 1_000_000)
        raise ConfigError(
            f"The database is to be brought up to date, and cannot be backed up before ({error}). It needs "
            f"{megabytes} MB in {file.parent}: make room there, then start cast-central again."
        ) from error
    kept = sorted(file.parent.glob(f"{file.name}.before-*"), key=lambda path: path.stat().st_mtime)
    for old in kept[:-BACKUPS]:
        old.unlink()
    log.info("database_backed_up", file=str(copy))


def _is_older(scripts: ScriptDirectory, one: str, other: str | None) -> bool:
    return other is not None and one in {script.revision for script in scripts.iterate_revisions(other, "base")}


@contextlib.contextmanager
def _usable_folder(database: Database) -> Iterator[None]:
    """Make the folder of an SQLite database, and turn an OSError of the block into ConfigError."""
    try:
        make_directory(database.url)
        yield
    except OSError as error:
        raise ConfigError(
            f"The folder of the database {database.url.database} cannot be used ({error.strerror}). Let the user who "
            "runs cast-central write to it, or set dir in the section [state] of the configuration to another one."
        ) from error


def _file_lock(database: Database) -> contextlib.AbstractContextManager[None]:
    """A lock on a file beside an SQLite database. It also covers the creation of the database."""
    if not database.is_sqlite:
        return contextlib.nullcontext()
    return locked(Path(f"{database.url.database}.lock"), timeout_s=LOCK_TIMEOUT_S)
