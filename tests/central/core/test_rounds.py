"""Rounds of writes: one unit of work where all is well, and what the database refuses costs only who asked for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime

import pytest
from sqlalchemy import event, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from central.core.batch import Batcher
from central.core.db.engine import Database, insert_rows_into
from central.core.db.rounds import Apply, write_round
from central.core.errors import DatabaseUnavailableError
from central.core.settings import DatabaseSettings
from central.media.tables import Broadcaster


class Names:
    """Adds broadcasters, and counts what that costs."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.begun = self.savepoints = 0
        event.listen(database.engine.sync_engine, "begin", self._begins)
        event.listen(database.engine.sync_engine, "savepoint", self._saves)

    async def add(self, names: Sequence[str]) -> Sequence[str | Exception]:
        """In one round: the names, or what the database had against them."""

        async def work(session: AsyncSession, apply: Apply) -> Sequence[str | Exception]:
            async def step(items: Sequence[str]) -> Sequence[str]:
                rows = [
                    {"id": name[:36], "name": name, "created_at": now, "updated_at": now, "metadata": {}}
                    for name in items
                ]
                await session.execute(insert_rows_into(session, Broadcaster), rows)
                return items

            return await apply(step, names)

        now = datetime.now(UTC)
        return await write_round(self.database, work)

    async def there(self) -> list[str]:
        async with self.database.read() as session:
            return sorted(await session.scalars(select(Broadcaster.name)))

    def _begins(self, *_: object) -> None:
        self.begun += 1

    def _saves(self, *_: object) -> None:
        self.savepoints += 1


@pytest.fixture
async def names(database_url: str) -> AsyncIterator[Names]:
    database = Database(str(DatabaseSettings(url=database_url).url))
    yield Names(database)
    await database.close()


async def test_a_round_without_trouble_is_one_unit(names: Names) -> None:
    """It has no savepoints, which would cost a round trip each."""
    assert await names.add(["one", "two", "three"]) == ["one", "two", "three"]
    assert (names.begun, names.savepoints) == (1, 0)


async def test_what_the_database_refuses_costs_nobody_else(names: Names) -> None:
    """All of a round with bad items are done in one unit more, each behind a savepoint of its own."""
    await names.add(["taken"])
    names.begun = 0
    results = await names.add(["one", "taken", "two", "two", "three"])
    assert [result for result in results if isinstance(result, str)] == ["one", "two", "three"]
    assert [type(result) for result in results if not isinstance(result, str)] == [IntegrityError] * 2
    assert (names.begun, names.savepoints) == (2, 5)
    assert await names.there() == ["one", "taken", "three", "two"]


async def test_text_that_cannot_be_stored_costs_nobody_else(postgres_url: str) -> None:
    """PostgreSQL refuses it only when it comes to the row."""
    database = Database(str(DatabaseSettings(url=postgres_url).url))
    one, nul, long, two = await Names(database).add(["one", "a\0b", "x" * 201, "two"])
    assert (one, two) == ("one", "two")
    assert isinstance(nul, Exception)
    assert isinstance(long, Exception)
    await database.close()


async def test_a_round_without_a_database_is_not_repeated(names: Names) -> None:
    """Each alone would fail, too."""
    units = 0

    async def work(session: AsyncSession, _apply: Apply) -> None:
        nonlocal units
        units += 1
        await session.execute(text("SELECT 1"))
        raise OSError("gone")

    with pytest.raises(DatabaseUnavailableError):
        await write_round(names.database, work)
    assert units == 1


async def test_a_round_that_fails_costs_only_those_it_fails_for() -> None:
    """Whatever it does, such as reading: its items are done alone then."""
    rounds: list[int] = []

    async def do(items: Sequence[int]) -> Sequence[int | BaseException]:
        rounds.append(len(items))
        if 13 in items:
            raise ValueError("13")
        return [item * 2 for item in items]

    batcher: Batcher[int, int] = Batcher("test", do)
    results = await asyncio.gather(*(batcher.submit(number) for number in range(100)), return_exceptions=True)
    assert isinstance(results.pop(13), ValueError)
    assert results == [number * 2 for number in range(100) if number != 13]
    assert rounds == [100] + [1] * 100


async def test_a_round_is_not_taken_apart_when_nothing_can_be_done() -> None:
    """A database that is gone is asked once for all."""
    rounds: list[int] = []

    async def do(items: Sequence[int]) -> Sequence[int | BaseException]:
        rounds.append(len(items))
        raise DatabaseUnavailableError("gone")

    batcher: Batcher[int, int] = Batcher("test", do)
    results = await asyncio.gather(*(batcher.submit(number) for number in range(100)), return_exceptions=True)
    assert all(isinstance(result, DatabaseUnavailableError) for result in results)
    assert rounds == [100]


async def test_a_round_takes_along_who_comes_while_others_come() -> None:
    """Its cost is shared by those whose requests are at work already; nobody waits for one that comes later."""
    rounds: list[list[int]] = []

    async def do(items: Sequence[int]) -> Sequence[int | BaseException]:
        rounds.append(list(items))
        return items

    async def submit(number: int, *, turns: int) -> None:
        for _ in range(turns):
            await asyncio.sleep(0)
        await batcher.submit(number)

    batcher: Batcher[int, int] = Batcher("test", do)
    await asyncio.gather(submit(1, turns=0), submit(2, turns=1), submit(3, turns=2), submit(4, turns=9))
    assert rounds == [[1, 2, 3], [4]]
