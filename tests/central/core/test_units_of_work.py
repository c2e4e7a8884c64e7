"""Units of work: all or nothing, and done again when the database gave one up for another."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from functools import partial

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from central.core.db import engine
from central.core.db.engine import Database, opened
from central.core.errors import DatabaseUnavailableError
from central.core.settings import DatabaseSettings


@pytest.fixture
async def database(postgres_url: str) -> AsyncIterator[Database]:
    """With two rows to lock."""
    made = Database(str(DatabaseSettings(url=postgres_url).url))
    rows = "INSERT INTO broadcasters VALUES ('1', 'one', now(), '{}'), ('2', 'two', now(), '{}')"
    await made.write(lambda session: session.execute(text(rows)))
    yield made
    await made.close()


async def test_of_two_that_deadlock_both_are_done(database: Database) -> None:
    """PostgreSQL ends one of them, which is done once more."""
    meet, tries = asyncio.Barrier(2), 0

    async def work(session: AsyncSession, mine: str, other: str) -> None:
        nonlocal tries
        tries += 1
        await session.execute(text(f"UPDATE broadcasters SET name = name || '{mine}' WHERE id = '{mine}'"))
        if tries <= 2:
            await meet.wait()
        await session.execute(text(f"UPDATE broadcasters SET name = name || '{mine}' WHERE id = '{other}'"))

    await asyncio.gather(
        database.write(lambda session: work(session, "1", "2")),
        database.write(lambda session: work(session, "2", "1")),
    )
    assert tries == 3
    async with database.read() as session:
        names = (await session.scalars(text("SELECT name FROM broadcasters ORDER BY id"))).all()
    assert [sorted(name) for name in names] == [sorted("one12"), sorted("two12")]


async def test_one_that_is_given_up_again_and_again_ends(database: Database) -> None:
    """After so many tries it is the caller's to try."""
    tries = 0

    async def work(session: AsyncSession) -> None:
        nonlocal tries
        tries += 1
        await session.execute(text("DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = 'serialization_failure'; END $$"))

    with pytest.raises(DatabaseUnavailableError):
        await database.write(work)
    assert tries == engine.TRIES


async def test_what_only_reads_needs_no_transaction(database: Database) -> None:
    """`now()` is when a transaction began: to who reads each statement is one of its own, to who writes all are one."""
    began = text("SELECT now()")
    async with database.read() as session:
        assert await session.scalar(began) != await session.scalar(began)

    async def work(session: AsyncSession) -> None:
        assert await session.scalar(began) == await session.scalar(began)

    await database.write(work)


async def test_a_unit_that_is_cancelled_holds_nothing(sqlite_url: str) -> None:
    """At whatever point: the next one writes, on any connection."""
    async with opened(str(DatabaseSettings(url=sqlite_url).url)) as made:

        async def work(session: AsyncSession, name: str) -> None:
            await session.execute(
                text(f"INSERT INTO broadcasters VALUES ('{name}', '{name}', '2026-11-29', '{{}}', NULL)")
            )

        for point in range(30):
            unit = asyncio.create_task(made.write(partial(work, name=f"cancelled {point}")))
            for _ in range(point):
                await asyncio.sleep(0.0002)
            unit.cancel()
            await asyncio.wait((unit,))
            await made.write(partial(work, name=f"kept {point}"))
