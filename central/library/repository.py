"""SQL for videos."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import case, delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from central.core.access.tables import AdminKey
from central.core.db.among import among, texts
from central.library.tables import DeletedVideo, Rendition, Video
from central.library.types import VideoState

LEAST: Final = 1_000_000
"""Bytes that a video counts for at least: so a quota bounds their number, too."""


async def held(session: AsyncSession, key_id: str) -> int:
    """Bytes of the library that a key holds. The key is locked: until the end of the unit of work it gets no more."""
    await session.execute(select(AdminKey.id).where(AdminKey.id == key_id).with_for_update(key_share=True))
    counted = case((Video.state == VideoState.FAILED, LEAST), (Video.size < LEAST, LEAST), else_=Video.size)
    return int(await session.scalar(select(func.sum(counted)).where(Video.key_id == key_id)) or 0)


async def uploads(session: AsyncSession, *, limit: int) -> dict[str, int]:
    """By id the size of what is being uploaded."""
    query = select(Video.id, Video.size).where(Video.state == VideoState.UPLOADING).limit(limit)
    return {row.id: row.size for row in await session.execute(query)}


async def there(session: AsyncSession, video_ids: Iterable[str]) -> set[str]:
    """Those of the ids that videos have."""
    return set(await session.scalars(select(Video.id).where(Video.id.in_(list(video_ids)))))


_OF_IDS: Final = select(Video).where(among(Video.id, texts("ids")))


async def of_ids(session: AsyncSession, ids: Collection[str]) -> dict[str, Video]:
    """The videos by id, of those that there are."""
    return {video.id: video for video in await session.scalars(_OF_IDS, {"ids": ids})}


async def ids(session: AsyncSession, *, without: Collection[VideoState]) -> Sequence[str]:
    """The ids of all videos that are in none of these states."""
    return (await session.scalars(select(Video.id).where(Video.state.not_in(without)).order_by(Video.id))).all()


async def renditions(session: AsyncSession) -> Sequence[tuple[str, str]]:
    """The video and the id of each rendition."""
    found = await session.execute(select(Rendition.video_id, Rendition.id).order_by(Rendition.video_id, Rendition.id))
    return [(row.video_id, row.id) for row in found]


async def page(
    session: AsyncSession,
    *,
    state: VideoState | None,
    tag: str | None,
    words: str | None,
    key_id: str | None,
    after: str | None,
    limit: int,
) -> Sequence[Video]:
    """The newest first; of that key, if one is named."""
    query = select(Video).order_by(Video.id.desc()).limit(limit)
    if state is not None:
        query = query.where(Video.state == state)
    if tag is not None:
        query = query.where(Video.tags.contains(f"\n{tag}\n", autoescape=True))
    if words is not None:
        query = query.where(Video.words.contains(words, autoescape=True))
    if key_id is not None:
        query = query.where(Video.key_id == key_id)
    if after is not None:
        query = query.where(Video.id < after)
    return (await session.scalars(query)).all()


async def of_state(
    session: AsyncSession, state: VideoState, *, before: datetime | None = None, limit: int
) -> Sequence[Video]:
    """Those in that state, unchanged since that moment, the one that waits for longest first."""
    query = select(Video).where(Video.state == state).order_by(Video.updated_at, Video.id).limit(limit)
    if before is not None:
        query = query.where(Video.updated_at < before)
    return (await session.scalars(query)).all()


async def change(
    session: AsyncSession, video_id: str, values: dict[str, Any], *, state: VideoState | None = None
) -> Video | None:
    """The video with these values; None when there is none, or it is in another state than the one that is named."""
    statement = update(Video).where(Video.id == video_id).values(values)
    if state is not None:
        statement = statement.where(Video.state == state)
    return (await session.scalars(statement.returning(Video))).one_or_none()


async def remove(
    session: AsyncSession, video_id: str, *, now: datetime, without_trace: VideoState | None = None
) -> bool:
    """Delete a video, and keep its title unless it is in the state `without_trace`. Return False if there was none."""
    statement = delete(Video).where(Video.id == video_id).returning(Video.title, Video.state)
    removed = (await session.execute(statement)).one_or_none()
    if removed is not None and removed.state != without_trace:
        session.add(DeletedVideo(id=video_id, title=removed.title, deleted_at=now))
    return removed is not None
