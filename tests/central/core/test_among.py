"""Lists of values in one statement."""

from __future__ import annotations

from typing import Any

from sqlalchemy import event, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from central.core.access.tables import AdminKey
from central.core.db.among import among
from central.core.db.engine import Database, opened
from central.core.ids import new_id
from central.core.pages import utc_now
from central.core.settings import DatabaseSettings

NAMES = ("plain", "with ' and \" and \\", "a, b", "{}", "[1]", "ünïcödé ☃ 𝄞", "\x1f", "null")


async def test_a_list_of_any_length_is_one_statement(database_url: str) -> None:
    """It finds exactly those, whatever characters they have; none of them finds none."""
    async with opened(str(DatabaseSettings(url=database_url).url)) as database:
        rows = (_key(name, number) for number, name in enumerate((*NAMES, "another")))
        await database.add(*rows)
        seen: set[str] = set()
        event.listen(database.engine.sync_engine, "before_cursor_execute", lambda *told: seen.add(told[2]))
        for number in range(len(NAMES) + 1):
            assert await _found(database, [*NAMES[:number], "missing"]) == sorted(NAMES[:number])
        assert await _found(database, []) == []
        assert len([statement for statement in seen if statement.startswith("SELECT")]) == 1, seen


async def test_an_index_is_used(database_url: str) -> None:
    """Nobody looks through the table for it."""
    query = select(AdminKey.id).where(among(AdminKey.key_hash, [""]), AdminKey.revoked_at.is_(None))
    async with opened(str(DatabaseSettings(url=database_url).url)) as database:
        given, plan, found = (
            ('[""]', "EXPLAIN QUERY PLAN", "SEARCH") if database.is_sqlite else ([""], "EXPLAIN", "Index")
        )

        async def work(session: AsyncSession) -> str:
            if not database.is_sqlite:
                await session.execute(
                    text("SET LOCAL enable_seqscan = off")
                )  # it would rather read a table of one page
            connection = await session.connection()
            told = await connection.exec_driver_sql(f"{plan} {query.compile(connection.engine.sync_engine)}", (given,))
            return str(told.all())

        assert found in await database.write(work)


async def _found(database: Database, names: list[str]) -> list[Any]:
    async with database.read() as session:
        return sorted(await session.scalars(select(AdminKey.name).where(among(AdminKey.name, names))))


def _key(name: str, number: int) -> AdminKey:
    return AdminKey(id=new_id(), name=name, role="admin", key_hash=f"{number:064}", created_at=utc_now())
