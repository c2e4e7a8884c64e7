"""SQL for the views of videos."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Float,
    Select,
    String,
    and_,
    bindparam,
    cast,
    delete,
    func,
    literal_column,
    or_,
    select,
    tuple_,
    union_all,
)
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute
from typing_extensions import TypedDict  # pydantic needs this one before Python 3.12

from central.analytics.tables import VideoViews
from central.core.db.among import among, texts
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


class VideoCounts(NamedTuple):
    """A video with its counts, each as its JSON, which the database writes: to make objects of the rows and JSON of
    those took a third of the time of a call."""

    title: str
    total: str
    by_day: Sequence[str]
    by_box: Sequence[str]


_BETWEEN: Final = "\n"
"""Stands between the texts of one column. No JSON that is written here has it."""
_NONE: Final = '{"views":0,"completed":0,"seconds":0.0}'

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
) -> dict[str, VideoCounts]:
    """The counts of those of the videos that exist or were deleted: by day, the oldest first, and by box, in the order
    of their ids, at most `limit` of each video."""
    given = {"first": days.first, "last": days.last, "ids": videos, "after": after or "", "limit": limit}
    rows = (await session.execute(_OF_VIDEOS, given)).all()
    return {video_id: _video_counts(title, by_day, by_box) for video_id, title, by_day, by_box in rows}


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


def _with_counts() -> Select[str, str, str | None, str | None]:
    """The videos of _TITLES, with the JSON of their counts; the other parameters are named in `of_videos`.

    One after the other, with what the index has of each: to sort the rows of all of them took longer.
    """
    videos = _TITLES.subquery("asked")
    within = and_(VideoViews.video_id == videos.c.id, VideoViews.day.between(bindparam("first"), bindparam("last")))

    def summed(by: InstrumentedAttribute[Any]) -> Select[Any]:
        return select(by, *_sums_of(VideoViews)).where(within).group_by(by).order_by(by).correlate(videos)

    days = summed(VideoViews.day).subquery().c
    boxes = summed(VideoViews.device_id).where(VideoViews.device_id > bindparam("after"))
    page = boxes.limit(bindparam("limit")).subquery().c
    by_day = _json_of(_sums_of(days)) + _BETWEEN + func.aggregate_strings(_json_of(days.values(), "day"), _BETWEEN)
    by_box = func.aggregate_strings(_json_of(page.values(), "device_id"), _BETWEEN)
    return select(videos.c.id, videos.c.title, select(by_day).scalar_subquery(), select(by_box).scalar_subquery())


def _json_of(values: Iterable[ColumnElement[Any]], key: str = "") -> ColumnElement[str]:
    """The sums, behind a key if there is one, as JSON. No key has a character that JSON escapes.
    A whole number of seconds is 30 in that of PostgreSQL and 30.0 in that of SQLite."""
    members = [f'"{key}":"%s"'] * bool(key) + [f'"{name}":%s' for name in COUNTS]
    return func.format(literal_column("'{" + ",".join(members) + "}'"), *values, type_=String())


def _video_counts(title: str, by_day: str | None, by_box: str | None) -> VideoCounts:
    total, *days = (by_day or _NONE).split(_BETWEEN)
    return VideoCounts(title, total, days, by_box.split(_BETWEEN) if by_box else [])


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
    milliseconds = func.round(func.sum(views.seconds) * 1000.0, type_=Float())
    return [*numbers, (milliseconds / 1000.0).label("seconds")]


async def _summed(session: AsyncSession, query: Select[Any]) -> list[OfVideo]:
    return [_told("video_id", *row) for row in await session.execute(query)]


def _told(key: str, of: Any, views: int, completed: int, seconds: float) -> Any:
    return {key: of, "views": views, "completed": completed, "seconds": seconds}


_OF_VIDEOS: Final = _with_counts()
