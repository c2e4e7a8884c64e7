"""SQL for live streams: stream keys that have a title, and the stream that each has on."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, delete, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from central.live.types import LiveState
from central.media.tables import StreamKey
from central.streams.tables import Stream
from central.streams.types import StreamStatus


@dataclass(frozen=True, slots=True)
class LiveRecord:
    """The key of a live stream, and its active stream."""

    key: StreamKey
    stream: Stream | None

    @property
    def path(self) -> str:
        assert self.key.path is not None, "a live stream has one"
        return self.key.path


async def get(session: AsyncSession, live_id: str) -> LiveRecord | None:
    row = (await session.execute(_lives().where(StreamKey.id == live_id))).one_or_none()
    return None if row is None else LiveRecord(*row)


async def keys_of(session: AsyncSession, live_ids: Collection[str]) -> dict[str, StreamKey]:
    """The keys of those of these that there are, by id."""
    query = select(StreamKey).where(StreamKey.id.in_(live_ids), StreamKey.title.is_not(None))
    return {key.id: key for key in await session.scalars(query)}


async def page(
    session: AsyncSession, *, state: LiveState | None, now: datetime, after: str | None, limit: int
) -> Sequence[LiveRecord]:
    """The newest first; those in that state, if one is named."""
    query = _lives().order_by(StreamKey.id.desc()).limit(limit)
    if state is not None:
        query = query.where(_is(state, now))
    if after is not None:
        query = query.where(StreamKey.id < after)
    return [LiveRecord(*row) for row in await session.execute(query)]


async def recorded(session: AsyncSession, *, now: datetime) -> set[str]:
    """The paths of those that are to be recorded and have not ended."""
    query = _lives().with_only_columns(StreamKey.path).where(StreamKey.record, ~_is(LiveState.ENDED, now))
    return set(await session.scalars(query))


async def change(session: AsyncSession, live_id: str, values: dict[str, Any]) -> None:
    """Change the columns of a live stream, which is locked."""
    await session.execute(update(StreamKey).where(StreamKey.id == live_id).values(values))


async def forget(session: AsyncSession, *, before: datetime, limit: int) -> int:
    """Delete live streams that ended before that moment, at most `limit`. Returns their number."""
    over = or_(StreamKey.revoked_at < before, StreamKey.expires_at < before)
    on = select(Stream.id).where(Stream.stream_key_id == StreamKey.id, Stream.status == StreamStatus.ACTIVE)
    old = select(StreamKey.id).where(StreamKey.title.is_not(None), over, ~on.exists()).order_by(StreamKey.id)
    statement = delete(StreamKey).where(StreamKey.id.in_(old.limit(limit).with_for_update(skip_locked=True)))
    return len((await session.execute(statement.returning(StreamKey.id))).all())


def _lives() -> Select[StreamKey, Stream]:
    on = and_(Stream.stream_key_id == StreamKey.id, Stream.status == StreamStatus.ACTIVE)
    return select(StreamKey, Stream).outerjoin(Stream, on).where(StreamKey.title.is_not(None))


def _is(state: LiveState, now: datetime) -> ColumnElement[bool]:
    good = and_(StreamKey.revoked_at.is_(None), or_(StreamKey.expires_at.is_(None), StreamKey.expires_at > now))
    match state:
        case LiveState.LIVE:
            return Stream.id.is_not(None)
        case LiveState.WAITING:
            return and_(Stream.id.is_(None), good)
        case LiveState.ENDED:
            return and_(Stream.id.is_(None), ~good)
