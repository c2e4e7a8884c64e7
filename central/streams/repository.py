"""SQL for streams. That there is one active one at most for a code, a box, a stream key and a path is the database's
to guarantee, with partial unique indexes."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, delete, false, func, literal, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from central.core.db.among import among, texts
from central.core.db.engine import insert_into
from central.streams.tables import Stream
from central.streams.types import StreamEnd, StreamSource, StreamStatus


class By(StrEnum):
    """The columns by which a stream can be looked up."""

    ID = "id"
    CODE = "code"
    DEVICE = "device_id"


async def add(session: AsyncSession, values: dict[str, Any]) -> Stream | None:
    """Insert an active stream; None when an active one has its code, box, key or path."""
    statement = insert_into(session, Stream).values(status=StreamStatus.ACTIVE, **values).on_conflict_do_nothing()
    return (await session.scalars(statement.returning(Stream))).one_or_none()


async def active_of_device(session: AsyncSession, device_id: str) -> Stream | None:
    query = select(Stream).where(Stream.device_id == device_id, Stream.status == StreamStatus.ACTIVE)
    return (await session.scalars(query)).one_or_none()


async def lock_active(session: AsyncSession, *, path: str, stream_key_id: str | None) -> Sequence[Stream]:
    """The active ones of this path and of this key, locked in the order of their ids."""
    of_key = false() if stream_key_id is None else Stream.stream_key_id == stream_key_id
    query = select(Stream).where(or_(Stream.path == path, of_key), Stream.status == StreamStatus.ACTIVE)
    query = query.order_by(Stream.id).with_for_update()
    return (await session.scalars(query.execution_options(populate_existing=True))).all()


async def active_of_code(session: AsyncSession, code: str) -> Stream | None:
    query = select(Stream).where(Stream.code == code, Stream.status == StreamStatus.ACTIVE)
    return (await session.scalars(query)).one_or_none()


_ON: Final = select(Stream).where(Stream.status == StreamStatus.ACTIVE)
_OF_MANY: Final = {
    By.ID: select(Stream).where(among(Stream.id, texts("values"))),
    By.CODE: _ON.where(among(Stream.code, texts("values"))),
    By.DEVICE: _ON.where(among(Stream.device_id, texts("values"))),
}


async def of_many(session: AsyncSession, by: By, values: Collection[str]) -> dict[str, Stream]:
    """Streams by the value of that column: the streams with these ids, or the active ones with these codes or boxes."""
    return {getattr(stream, by.value): stream for stream in await session.scalars(_OF_MANY[by], {"values": values})}


async def by_id(session: AsyncSession, stream_id: str) -> Stream | None:
    return await session.get(Stream, stream_id)


async def page(
    session: AsyncSession,
    *,
    status: StreamStatus | None,
    source: StreamSource | None,
    device_id: str | None,
    after: str | None,
    limit: int,
) -> Sequence[Stream]:
    """The newest first."""
    query = select(Stream).order_by(Stream.id.desc()).limit(limit)
    if status is not None:
        query = query.where(Stream.status == status)
    if source is not None:
        query = query.where(Stream.source == source)
    if device_id is not None:
        query = query.where(Stream.device_id == device_id)
    if after is not None:
        query = query.where(Stream.id < after)
    return (await session.scalars(query)).all()


async def change(session: AsyncSession, stream_id: str, values: dict[str, Any]) -> Stream | None:
    """Change an active stream; None if there is none with this id."""
    statement = update(Stream).where(Stream.id == stream_id, Stream.status == StreamStatus.ACTIVE).values(values)
    return (await session.scalars(statement.returning(Stream))).one_or_none()


async def end(
    session: AsyncSession, *, reason: StreamEnd, now: datetime, **which: str | Collection[str]
) -> Sequence[Stream]:
    """End the active streams of which the column of each given name has that value (or one of them). One whose
    publisher is away ended when it left."""
    statement = update(Stream).where(Stream.id.in_(_locked(**which))).values(_ended(now) | {"end_reason": reason})
    return (await session.scalars(statement.returning(Stream))).all()


async def interrupt(
    session: AsyncSession, *, reason: StreamEnd, now: datetime, until: datetime, **which: str | Collection[str]
) -> Sequence[Stream]:
    """Mark the publishers of these active streams as away: unless they come back until that moment, their streams will
    have ended now, for that reason. Those that were away already stay as they are."""
    there = _locked(Stream.interrupted_at.is_(None), **which)
    values = {"interrupted_at": now, "grace_until": until, "end_reason": reason, "connection_id": None}
    statement = update(Stream).where(Stream.id.in_(there)).values(values | {"updated_at": now})
    return (await session.scalars(statement.returning(Stream))).all()


async def resume(
    session: AsyncSession, stream_id: str, connection_id: str | None, connection_type: str, *, now: datetime
) -> Stream:
    """The publisher of that active stream, which is locked, is this connection from now on."""
    values = {"connection_id": connection_id, "connection_type": connection_type, "updated_at": now}
    values |= dict.fromkeys(("interrupted_at", "grace_until", "end_reason"))
    return (await session.scalars(update(Stream).where(Stream.id == stream_id).values(values).returning(Stream))).one()


async def overdue(
    session: AsyncSession, *conditions: ColumnElement[bool], now: datetime, limit: int
) -> Sequence[Stream]:
    """Active ones whose publisher has been away for too long, and that meet these conditions; at most `limit`."""
    query = select(Stream).where(Stream.status == StreamStatus.ACTIVE, Stream.grace_until < now, *conditions)
    return (await session.scalars(query.order_by(Stream.grace_until).limit(limit))).all()


async def end_overdue(
    session: AsyncSession, stream_id: str, *conditions: ColumnElement[bool], now: datetime
) -> Stream | None:
    """End that stream if it still is overdue; its key is locked."""
    late = _locked(Stream.grace_until < now, *conditions, id=stream_id)
    statement = update(Stream).where(Stream.id.in_(late)).values(_ended(now))
    return (await session.scalars(statement.returning(Stream))).one_or_none()


async def published(session: AsyncSession) -> Sequence[Stream]:
    """The active ones that publishers made."""
    query = select(Stream).where(Stream.status == StreamStatus.ACTIVE, Stream.source == StreamSource.PUBLISHER)
    return (await session.scalars(query)).all()


async def count_active(session: AsyncSession) -> dict[str, int]:
    """The number of active streams, by source."""
    query = (
        select(Stream.source, func.count().label("number"))
        .where(Stream.status == StreamStatus.ACTIVE)
        .group_by(Stream.source)
    )
    return {row.source: row.number for row in await session.execute(query)}


async def forget(session: AsyncSession, *, before: datetime, limit: int) -> int:
    """Delete streams that ended before that moment, at most `limit`. Returns their number."""
    old = select(Stream.id).where(Stream.ended_at < before).limit(limit).with_for_update(skip_locked=True)
    statement = delete(Stream).where(Stream.id.in_(old)).returning(Stream.id)
    return len((await session.execute(statement.execution_options(synchronize_session=False))).all())


def _locked(*conditions: ColumnElement[bool], **which: str | Collection[str]) -> Select[Any]:
    """The ids of those active streams, locked in their order."""
    locked = select(Stream.id).where(Stream.status == StreamStatus.ACTIVE, *conditions)
    for name, wanted in which.items():
        column = getattr(Stream, name)
        locked = locked.where(column == wanted if isinstance(wanted, str) else column.in_(wanted))
    return locked.order_by(Stream.id).with_for_update()


def _ended(now: datetime) -> dict[str, Any]:
    left = func.coalesce(Stream.interrupted_at, literal(now, Stream.interrupted_at.type))
    ended = {"status": StreamStatus.ENDED, "ended_at": left}
    return ended | {"interrupted_at": None, "grace_until": None, "updated_at": now}
