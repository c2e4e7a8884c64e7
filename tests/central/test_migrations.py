"""Migrations: up, down, one instance at a time, and the same tables as the code has."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, inspect, text

from central.config import DatabaseSettings
from central.db.engine import Database
from central.db.migrate import migrate
from central.db.tables import Base
from central.errors import ConfigError
from tests.central.conftest import DATABASES
from tests.central.support.postgres import PostgresServer


@pytest.fixture(params=DATABASES)
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Of a database without any table."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path}/new/central.db"
    else:
        server: PostgresServer = request.getfixturevalue("postgres")
        server.sql("DROP DATABASE IF EXISTS empty")
        server.sql("CREATE DATABASE empty")
        url = server.url("empty")
    return str(DatabaseSettings(url=url).url)


async def test_migrations_go_up_down_and_up_and_make_the_tables_of_the_code(empty_url: str) -> None:
    """Nothing differs from `tables`, and nothing is left below."""

    def differences(connection: Connection) -> list[object]:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return list(compare_metadata(context, Base.metadata))

    def tables(connection: Connection) -> set[str]:
        return set(inspect(connection).get_table_names()) - {"alembic_version", "sqlite_sequence"}

    database = Database(empty_url)
    try:
        for revision, expected in (("head", set(Base.metadata.tables)), ("base", set()), ("head", None)):
            await migrate(database, revision)
            async with database.read() as session:
                connection = await session.connection()
                assert expected is None or await connection.run_sync(tables) == expected
        async with database.read() as session:
            connection = await session.connection()
            assert await connection.run_sync(differences) == []
            names = await connection.run_sync(lambda c: {i["name"] for i in inspect(c).get_indexes("streams")})
            assert {f"uq_streams_{c}_active" for c in ("code", "device_id", "path", "stream_key_id")} <= names
    finally:
        await database.close()


async def test_instances_that_start_together_migrate_once(empty_url: str) -> None:
    """Four processes at the same moment: all succeed."""
    environment = os.environ | {"CAST_CENTRAL_DATABASE__URL": empty_url}
    command = [sys.executable, "-m", "central.cli", "key", "list"]
    started = [
        await asyncio.create_subprocess_exec(*command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for _ in range(4)
    ]
    done = await asyncio.gather(*(process.communicate() for process in started))
    assert [process.returncode for process in started] == [0] * 4, done


async def test_a_database_of_a_newer_version_is_left_alone(empty_url: str) -> None:
    """It says what to do, and touches nothing."""
    database = Database(empty_url)
    try:
        await migrate(database)
        newer = text("UPDATE alembic_version SET version_num = '9999'")
        await database.write(lambda session: session.execute(newer))
        with pytest.raises(ConfigError, match="newer version"):
            await migrate(database)
    finally:
        await database.close()
