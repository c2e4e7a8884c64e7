"""Lists of values in one statement."""

from __future__ import annotations

from typing import Any

from sqlalchemy import event, select

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


async def _found(database: Database, names: list[str]) -> list[Any]:
    async with database.read() as session:
        return sorted(await session.scalars(select(AdminKey.name).where(among(AdminKey.name, names))))


def _key(name: str, number: int) -> AdminKey:
    return AdminKey(id=new_id(), name=name, role="admin", key_hash=f"{number:064}", created_at=utc_now())
