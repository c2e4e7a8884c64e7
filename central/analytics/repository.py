"""SQL for the views of videos."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from operator import itemgetter
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    CompoundSelect,
    Date,
    Select,
    and_,
    bindparam,
    cast,
    delete,
    func,
    null,
    or_,
    select,
    tuple_,
    union_all,
)
from sqlalchemy.ext.asyncio import AsyncSession
from typing_extensions import TypedDict  # pydantic needs this one before Python 3.12

from central.analytics.tables import VideoViews
from central.core.db.among import among, texts
from central.core.db.base import ID
from central.core.db.engine import insert_rows_into
from central.library.tables import DeletedVideo, Video

KEY: Final = (VideoViews.video_id, VideoViews.day, VideoViews.device_id)
COUNTS: Final = ("views", "completed", "seconds")


@dataclass(frozen=True, slots=True)
class Days:
    """A range of days; the first and the last are included."""

    first: date
    last: date


class Counts(TypedDict):
    """The sums of some views. Rows are dictionaries, as the answers tell them: to make objects of them and these of
    those took a quarter of the time of a call."""

    views: int
    completed: int
    seconds: float


class OfDay(Counts):
    day: date


class OfBox(Counts):
    device_id: str


class OfVideo(Counts):
    video_id: str


_TITLES: Final = union_all(
    select(Video.id, Video.title).where(among(Video.id, texts("ids"))),
    select(DeletedVideo.id, DeletedVideo.title).where(among(DeletedVideo.id, texts("ids"))),
)


async def titles(session: AsyncSession, ids: Collection[str]) -> dict[str, str]:
    """The titles by id, of videos that exist or were deleted."""
    return {row.id: row.title for row in await session.execute(_TITLES, {"ids": ids})}


async def add(session: AsyncSession, rows: Sequence[dict[str, Any]]) -> None:
    """Add to the counts. The boxes of the rows are locked."""
    statement = insert_rows_into(session, VideoViews)
    more = {name: getattr(VideoViews, name) + statement.excluded[name] for name in COUNTS}
    await session.execute(
        statement.on_conflict_do_update(index_elements=["video_id", "day", "device_id"], set_=more), rows
    )


async def by_day(session: AsyncSession, days: Days) -> list[OfDay]:
    """The days that have views, the oldest first."""
    query = select(VideoViews.day, *_sums_of(VideoViews)).where(_within(days)).group_by(VideoViews.day)
    return [_told("day", *row) for row in await session.execute(query.order_by(VideoViews.day))]


async def of_videos(
    session: AsyncSession, days: Days, videos: Collection[str], *, after: str | None, limit: int
) -> dict[str, tuple[list[OfDay], list[OfBox]]]:
    """The days that have views of each of these videos, the oldest first, and the boxes in the order of their ids, at
    most `limit` of each video. A video without views is left out."""
    given = {"first": days.first, "last": days.last, "videos": videos, "after": after or "", "limit": limit}
    found: defaultdict[str, tuple[list[OfDay], list[OfBox]]] = defaultdict(lambda: ([], []))
    for video_id, day, device_id, views, completed, seconds in (await session.execute(_OF_VIDEOS, given)).all():
        by_day, by_box = found[video_id]
        if device_id is None:
            by_day.append(_told("day", day, views, completed, seconds))
        else:
            by_box.append(_told("device_id", device_id, views, completed, seconds))
    for by_day, by_box in found.values():
        by_day.sort(key=itemgetter("day"))
        by_box.sort(key=itemgetter("device_id"))
    return found


async def by_video(session: AsyncSession, days: Days, *, after: str | None, limit: int) -> list[OfVideo]:
    """The videos that have views, in the order of their ids."""
    query = _by_video(days).where(VideoViews.video_id > (after or ""))
    return await _summed(session, query.order_by(VideoViews.video_id).limit(limit))


async def top(session: AsyncSession, days: Days, *, after: tuple[int, str] | None, limit: int) -> list[OfVideo]:
    """The videos, the most viewed first. `after` is the views and the id of the last one of the page before."""
    number, query = func.sum(VideoViews.views), _by_video(days)
    if after is not None:
        least, video_id = after
        query = query.having(or_(number < least, and_(number == least, VideoViews.video_id > video_id)))
    return await _summed(session, query.order_by(number.desc(), VideoViews.video_id).limit(limit))


async def rows(
    session: AsyncSession, days: Days, video_id: str, *, after: tuple[date, str] | None, limit: int
) -> Sequence[VideoViews]:
    """The rows of a video, in the order of days and boxes."""
    query = select(VideoViews).where(VideoViews.video_id == video_id, _within(days))
    if after is not None:
        query = query.where(tuple_(VideoViews.day, VideoViews.device_id) > after)
    return (await session.scalars(query.order_by(VideoViews.day, VideoViews.device_id).limit(limit))).all()


async def reset(session: AsyncSession, video_id: str, *, limit: int) -> int:
    """Delete the counts of a video, at most `limit` rows. Returns their number."""
    of_video = select(*KEY).where(VideoViews.video_id == video_id)
    return await _delete(session, of_video.order_by(VideoViews.device_id, VideoViews.day).with_for_update(), limit)


async def forget(session: AsyncSession, *, before: datetime, limit: int) -> int:
    """Delete the counts of days before that moment, at most `limit` rows. Returns their number."""
    old = select(*KEY).where(VideoViews.day < before.date())
    return await _delete(session, old.with_for_update(skip_locked=True), limit)


async def forget_titles(session: AsyncSession, *, before: datetime, limit: int) -> int:
    """Delete the titles of videos that were deleted before that moment and have no counts, at most `limit`. Returns
    their number."""
    is_counted = select(VideoViews.video_id).where(VideoViews.video_id == DeletedVideo.id).exists()
    old = select(DeletedVideo.id).where(DeletedVideo.deleted_at < before, ~is_counted).limit(limit)
    gone = delete(DeletedVideo).where(DeletedVideo.id.in_(old.with_for_update(skip_locked=True)))
    statement = gone.returning(DeletedVideo.id).execution_options(synchronize_session=False)
    return len((await session.execute(statement)).all())


def _by_day_and_box() -> CompoundSelect[Any]:
    """The days and the boxes of videos; the names of its parameters are in `of_videos`."""
    within = VideoViews.day.between(bindparam("first"), bindparam("last"))
    query = select(*KEY, *(getattr(VideoViews, name) for name in COUNTS))
    # Read once, because the database takes longest for that.
    views = query.where(within, among(VideoViews.video_id, texts("videos"))).cte("views").c
    by_day = select(views.video_id, views.day, cast(null(), ID).label("device_id"), *_sums_of(views))
    place = func.row_number().over(partition_by=views.video_id, order_by=views.device_id).label("place")
    boxes = select(views.video_id, views.device_id, *_sums_of(views), place).where(views.device_id > bindparam("after"))
    ranked = boxes.group_by(views.video_id, views.device_id).subquery().c
    page = select(ranked.video_id, cast(null(), Date), ranked.device_id, *(ranked[name] for name in COUNTS))
    page = page.where(ranked.place <= bindparam("limit"))
    return union_all(by_day.group_by(views.video_id, views.day), page)


async def _delete(session: AsyncSession, which: Select[str, date, str], limit: int) -> int:
    statement = delete(VideoViews).where(tuple_(*KEY).in_(which.limit(limit))).returning(VideoViews.device_id)
    return len((await session.execute(statement.execution_options(synchronize_session=False))).all())


def _within(days: Days) -> ColumnElement[bool]:
    return VideoViews.day.between(days.first, days.last)


def _by_video(days: Days) -> Select[Any]:
    return select(VideoViews.video_id, *_sums_of(VideoViews)).where(_within(days)).group_by(VideoViews.video_id)


def _sums_of(views: Any) -> list[Any]:
    # PostgreSQL sums whole numbers to decimals, each of which takes longer to read than the rest of its row.
    numbers = (cast(func.sum(getattr(views, name)), BigInteger).label(name) for name in COUNTS[:2])
    return [*numbers, func.sum(views.seconds).label("seconds")]


async def _summed(session: AsyncSession, query: Select[Any]) -> list[OfVideo]:
    return [_told("video_id", *row) for row in await session.execute(query)]


def _told(key: str, of: Any, views: int, completed: int, seconds: float) -> Any:
    return {key: of, "views": views, "completed": completed, "seconds": round(seconds, 3)}


_OF_VIDEOS: Final = _by_day_and_box()
