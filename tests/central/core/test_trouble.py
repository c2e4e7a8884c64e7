"""A database that cannot do what it should: answers and `/health` say what is wrong, and what to do about it."""

from __future__ import annotations

import asyncio
import sqlite3

import pytest
from sqlalchemy import event, text

from central.core.db import engine
from tests.central.support.postgres import PostgresServer
from tests.central.support.service import Answered, Central, served

FULL = """
CREATE FUNCTION full_disk() RETURNS trigger AS
$$ BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = 'disk_full'; END $$ LANGUAGE plpgsql;
CREATE TRIGGER full_disk BEFORE INSERT ON events EXECUTE FUNCTION full_disk();
"""
FREED = "DROP FUNCTION IF EXISTS full_disk CASCADE"


async def test_a_full_postgres_says_so(
    postgres: PostgresServer, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when a smaller thing can still be written; and when there is space again all is well by itself."""
    async with served(postgres_url) as central:
        box = await central.box()
        postgres.sql(FULL, database="central")
        try:
            await _is_full(central, await box.send(box.event()))
            assert (await box.put(box.state())).status == 200
            await _is_full(central, await box.send(box.event()))
        finally:
            postgres.sql(FREED, database="central")
        assert (await box.send(box.event())).status == 200
        monkeypatch.setattr(engine, "FULL_S", 0.0)
        assert (await central.anybody("GET", "/health"))["status"] == "healthy"


async def test_a_full_sqlite_says_so(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same, where the file may not grow."""
    async with served(sqlite_url) as central:
        box = await central.box()
        database = central.services.database
        pages = await database.write(lambda session: session.scalar(text("PRAGMA page_count")))

        @event.listens_for(database.engine.sync_engine, "begin")
        def limit(connection: object) -> None:
            connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")  # type: ignore[attr-defined]

        answer = await box.send(*(box.event("future_kind", data={"a": "x" * 4000}) for _ in range(50)))
        await _is_full(central, answer)
        pages = 100_000
        assert (await box.send(box.event())).status == 200
        monkeypatch.setattr(engine, "FULL_S", 0.0)
        assert (await central.anybody("GET", "/health"))["status"] == "healthy"


async def _is_full(central: Central, answer: Answered) -> None:
    health = await central.anybody("GET", "/health")
    metrics = (await central.anybody("GET", "/metrics")).body
    assert (answer.status, answer["code"]) == (503, "database_full")
    assert "disk of the database is full" in answer["detail"]
    assert (health.status, health["database"]["status"]) == (503, "unavailable")
    assert "disk of the database is full" in health["database"]["detail"]
    assert "cast_central_database_up 0.0" in metrics


async def test_a_postgres_that_can_only_be_read_says_so(
    postgres: PostgresServer, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database is a standby before anybody has tried to write: reading goes on."""
    async with served(postgres_url) as central:
        box = await central.box()
        postgres.sql("ALTER DATABASE central SET default_transaction_read_only = on")
        try:
            ours = "datname = 'central' AND application_name = 'cast-central'"
            postgres.sql(f"SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE {ours}")
            monkeypatch.setattr(engine, "WRITTEN_S", 0.0)
            health = await central.anybody("GET", "/health")
            assert (health.status, health["database"]["status"]) == (503, "unavailable")
            assert "can only be read" in health["database"]["detail"]
            assert (await box("GET", f"/api/v1/devices/{box.id}")).status == 200
        finally:
            postgres.sql("ALTER DATABASE central RESET default_transaction_read_only")


async def test_a_locked_sqlite_says_so(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """`/health` too: what cannot be written is not available."""
    monkeypatch.setattr(engine, "BUSY_TIMEOUT_S", 0.1)
    monkeypatch.setattr(engine, "WRITTEN_S", 0.0)
    async with served(sqlite_url) as central:
        file = sqlite_url.removeprefix("sqlite:///")
        other = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
        try:
            await asyncio.to_thread(other.execute, "BEGIN IMMEDIATE")  # the service may be writing, and goes on
            health = await central.anybody("GET", "/health")
            assert health.status == 503
            assert "another process" in health["database"]["detail"]
        finally:
            other.close()
        assert (await central.anybody("GET", "/health")).status == 200


async def test_a_damaged_sqlite_says_so(sqlite_url: str) -> None:
    """503, not a mistake of ours."""
    async with served(sqlite_url) as central:
        box = await central.box()
        with open(sqlite_url.removeprefix("sqlite:///") + "-wal", "r+b") as wal:
            wal.truncate(0)
        with open(sqlite_url.removeprefix("sqlite:///"), "r+b") as file:
            file.write(b"x" * 65536)
        answer = await box.put(box.state())
        assert (answer.status, answer["code"]) == (503, "database_unavailable")
        assert "damaged" in answer["detail"]
