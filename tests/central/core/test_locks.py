"""The order of locks: what breaks it fails in tests, and ARCHITECTURE.md has the same order."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import Executable, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from central.core.db.base import Base
from central.core.db.engine import Database
from central.core.db.locks import LockOrderError
from central.core.settings import DatabaseSettings
from central.devices.tables import Device, EnrolmentToken
from central.locks import LOCK_ORDER
from central.media.tables import Claim, StreamKey
from central.streams.tables import Stream
from tests.unit.test_layers import ROOT

KEYS = select(StreamKey.id).order_by(StreamKey.id).with_for_update()
STREAMS = select(Stream.id).order_by(Stream.id).with_for_update()
BOXES = select(Device.id).join(Stream, Stream.device_id == Device.id).order_by(Device.id).with_for_update(of=Device)


@pytest.fixture
async def database(sqlite_url: str) -> AsyncIterator[Database]:
    """One that checks the order."""
    made = Database(str(DatabaseSettings(url=sqlite_url).url), lock_order=LOCK_ORDER)
    yield made
    await made.close()


async def do(database: Database, *statements: Executable) -> None:
    """All of them as one unit of work."""

    async def work(session: AsyncSession) -> None:
        for statement in statements:
            await session.execute(statement)

    await database.write(work)


@pytest.mark.parametrize(
    "statements",
    [
        (STREAMS, KEYS),
        (delete(Claim), KEYS),
        (STREAMS, update(Device).values(name="x")),
        (update(Stream).where(Stream.id.in_(STREAMS)).values(title="x"), BOXES),
        (update(Stream).values(title="x").where(Stream.device_id.in_(BOXES)), delete(EnrolmentToken)),
    ],
    ids=["select", "delete", "update", "nested", "joined"],
)
async def test_a_lock_out_of_order_raises(database: Database, statements: tuple[Executable, ...]) -> None:
    """Whatever kind of statement takes it; the other way round they are fine, and each by itself, too."""
    with pytest.raises(LockOrderError, match="is locked after"):
        await do(database, *statements)
    await do(database, *reversed(statements))
    for statement in statements:
        await do(database, statement)


async def test_what_is_locked_already_may_be_changed_later(database: Database) -> None:
    """And what is only read is no lock."""
    await do(database, KEYS, STREAMS, update(StreamKey).values(name="x"), select(Device.id))


async def test_rows_in_any_order_raise(database: Database) -> None:
    """Unless those that others have locked are left out: nobody waits then."""
    query = select(StreamKey.id).order_by(StreamKey.created_at)
    with pytest.raises(LockOrderError, match=r"Lock them ORDER BY id"):
        await do(database, query.with_for_update())
    await do(database, query.with_for_update(skip_locked=True))


async def test_a_table_without_a_place_raises(sqlite_url: str) -> None:
    """A new table is put into the list."""
    database = Database(str(DatabaseSettings(url=sqlite_url).url), lock_order={"devices": "id"})
    with pytest.raises(LockOrderError, match="claims has no place"):
        await do(database, insert(Claim))
    await database.close()


def test_the_order_is_that_of_the_document() -> None:
    """Each table has a place, and ARCHITECTURE.md lists them as the code has them."""
    assert LOCK_ORDER.keys() == Base.metadata.tables.keys()
    text = (ROOT / "ARCHITECTURE.md").read_text()
    rows = re.findall(r"^\| \d+ \| (.+?) \| (.+?) \|", text, re.MULTILINE)
    listed = {name: column for names, column in rows for name in re.findall(r"`(\w+)`", names)}
    assert list(listed) == list(LOCK_ORDER)
    columns = [column for column in listed.values() if column in ("id", "path", "device_id")]
    assert columns == [*filter(None, LOCK_ORDER.values())]
