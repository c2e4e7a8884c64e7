"""Every test that asks for `central` or `database_url` runs twice: on SQLite, and on a real PostgreSQL."""

from __future__ import annotations

import asyncio
import io
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import uvloop

from central.core.db.base import Base
from central.core.db.engine import Database
from central.core.db.migrate import migrate
from central.core.log import configure
from central.core.settings import DatabaseSettings, LogSettings
from tests.central.support.postgres import PostgresServer
from tests.central.support.servers import RedisServer
from tests.central.support.service import Central, served
from tests.support.leaks import LeakCheck

DATABASES = ("sqlite", "postgres")


@pytest.fixture(scope="session")
def postgres(leaks: LeakCheck) -> Iterator[PostgresServer]:
    """One server for the run, with a database `central` that is up to date."""
    server = PostgresServer()
    try:
        server.start()
        leaks.own_pids(lambda: server.pids)
        server.sql("CREATE DATABASE central")
        asyncio.run(_migrated(server.url("central")))
        yield server
    finally:
        server.close()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database that is up to date, to be copied."""
    file = tmp_path_factory.mktemp("sqlite") / "central.db"
    asyncio.run(_migrated(f"sqlite:///{file}"))
    return file


@pytest.fixture(params=DATABASES)
def database_url(request: pytest.FixtureRequest) -> str:
    """Of an empty database that is up to date."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture
def postgres_url(postgres: PostgresServer) -> str:
    """The one on PostgreSQL, with nothing in it of the tests before."""
    tables = ", ".join(Base.metadata.tables)
    postgres.sql(f"TRUNCATE {tables} RESTART IDENTITY CASCADE", database="central")
    return postgres.url("central")


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    """Of an empty SQLite database that is up to date, for what is the same on both."""
    file = tmp_path / "central.db"
    shutil.copy(sqlite_template, file)
    return f"sqlite:///{file}"


@pytest.fixture
def redis(leaks: LeakCheck) -> Iterator[RedisServer]:
    """An empty server."""
    server = RedisServer()
    leaks.own_pids(lambda: server.pids)
    try:
        server.start()
        yield server
    finally:
        server.close()


@pytest.fixture
async def central(database_url: str) -> AsyncIterator[Central]:
    """The service on that database."""
    async with served(database_url) as made:
        yield made


@pytest.fixture(scope="session", autouse=True)
def _libuv() -> None:
    """The first loop of a process makes two descriptors for all that come; no test has left them behind."""
    uvloop.new_event_loop().close()


@pytest.fixture(autouse=True)
def _quiet() -> None:
    """All is logged, for who captures it, and nothing printed."""
    configure(LogSettings(level="debug"), stream=io.StringIO())


async def _migrated(url: str) -> None:
    database = Database(str(DatabaseSettings(url=url).url))
    try:
        await migrate(database)
    finally:
        await database.close()
