"""The views of videos, by day, by box and by video."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from typing import Final, NamedTuple

import structlog

from central.analytics import repository
from central.analytics.counting import LATE
from central.analytics.csv_text import csv_lines
from central.analytics.models import StatsQuery
from central.analytics.repository import Counts, CountsOf, Days
from central.core.batch import Batcher
from central.core.db.engine import Database
from central.core.errors import InvalidRequestError
from central.core.forgetting import forget, in_portions
from central.core.ids import bad_cursor, from_cursor, is_id
from central.core.pages import Clock, Page, id_behind, page_of, utc_now
from central.core.shared import Shared
from central.core.types import Caller
from central.library.videos import not_there

DAYS_DEFAULT: Final = 30
DAYS_LIMIT: Final = 366
"""The days of one answer: a year."""
LINES: Final = 1_000
"""The lines of CSV that are read at a time: some 100 KB."""

log = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Found:
    """The views of some days, with a page of boxes or of videos."""

    days: Days
    total: Counts
    by_day: list[CountsOf]
    page: Page[CountsOf]
    titles: dict[str, str]
    """The titles by the id of the video, including deleted ones."""


class Asked(NamedTuple):
    """The part of the counts that a caller asks for."""

    days: Days
    after: str | None
    """The id of the box behind which the page begins."""
    limit: int


class Analytics:
    """Reads, resets and forgets the counts."""

    def __init__(self, database: Database, *, kept: timedelta, now: Clock = utc_now) -> None:
        """`kept` is how long a day is kept."""
        self._database = database
        self._kept = kept
        self._now = now
        self._asked: Batcher[tuple[str, Asked], Found] = Batcher("stats", self._of_videos)
        self._shared: Shared[Found] = Shared()

    def days(self, query: StatsQuery) -> Days:
        """The days of a query. Raises InvalidRequestError."""
        last = date.fromisoformat(query.to) if query.to else self._now().date()
        least = timedelta(days=DAYS_DEFAULT - 1)
        first = date.fromisoformat(query.from_) if query.from_ else max(last, date.min + least) - least
        if not 0 <= (last - first).days < DAYS_LIMIT:
            raise InvalidRequestError.of("from", f"must be no later than to, and at most {DAYS_LIMIT - 1} days earlier")
        return Days(first, last)

    async def title(self, video_id: str) -> str:
        """The title of a video that exists or was deleted. Raises VideoNotFoundError."""
        async with self._database.read() as session:
            titles = await repository.titles(session, [video_id])
        if video_id not in titles:
            raise not_there()
        return titles[video_id]

    async def of_video(self, video_id: str, query: StatsQuery) -> Found:
        """The views of one video, with a page of boxes. Raises VideoNotFoundError, InvalidRequestError."""
        return await self._asked.submit((video_id, Asked(self.days(query), id_behind(query.cursor), query.limit)))

    async def of_all(self, query: StatsQuery) -> Found:
        """The views of all videos, with a page of the most viewed ones. Raises InvalidRequestError."""
        days, after, limit = self.days(query), _behind(query.cursor), query.limit
        return await self._shared.ask((days, after, limit), lambda: self._of_all(days, after, limit))

    async def video_lines(self, video_id: str, days: Days) -> AsyncGenerator[bytes, None]:
        """The views of a video as CSV, with a line for each day and box."""
        yield csv_lines([("day", "device_id", *repository.COUNTS)])
        after: tuple[date, str] | None = None
        while True:
            async with self._database.read() as session:
                rows = await repository.rows(session, days, video_id, after=after, limit=LINES)
            yield csv_lines((row.day, row.device_id, row.views, row.completed, row.seconds) for row in rows)
            if len(rows) < LINES:
                return
            after = rows[-1].day, rows[-1].device_id

    async def all_lines(self, days: Days) -> AsyncGenerator[bytes, None]:
        """The views of all videos as CSV, with a line for each video, in the order of their ids."""
        yield csv_lines([("video_id", "title", *repository.COUNTS)])
        after: str | None = None
        while True:
            async with self._database.read() as session:
                found = await repository.by_video(session, days, after=after, limit=LINES)
                titles = await repository.titles(session, [video.of for video in found])
            lines = ((video.of, titles.get(video.of, ""), video.counts) for video in found)
            yield csv_lines((of, title, told.views, told.completed, told.seconds) for of, title, told in lines)
            if len(found) < LINES:
                return
            after = found[-1].of

    async def reset(self, caller: Caller, video_id: str) -> None:
        """Delete the counts of a video, and log who did. Raises VideoNotFoundError."""
        await self.title(video_id)
        rows = await in_portions(self._database, partial(repository.reset, video_id=video_id))
        log.info("video_stats_deleted", video_id=video_id, rows=rows, by=caller.name, key_id=caller.id or None)

    async def upkeep(self) -> None:
        """Delete the counts that are too old, and the titles that nothing needs. Raises DatabaseUnavailableError."""
        now = self._now()
        count = await forget(self._database, repository.forget, before=now - self._kept)
        titles = await forget(self._database, repository.forget_titles, before=now - LATE)
        if count or titles:
            log.info("records_deleted", video_views=count, video_titles=titles)


    async def _of_videos(self, asked: Sequence[tuple[str, Asked]]) -> Sequence[Found | BaseException]:
        together: defaultdict[Asked, set[str]] = defaultdict(set)
        for video_id, part in asked:
            together[part].add(video_id)
        found: dict[tuple[str, Asked], Found] = {}
        async with self._database.read() as session:
            titles = await repository.titles(session, {video_id for video_id, _ in asked})
            for part, ids in together.items():
                days, after, limit = part
                by_day = await repository.by_day_of(session, days, ids)
                boxes = await repository.by_box_of(session, days, ids, after=after, limit=limit + 1)
                for video_id in ids & titles.keys():
                    counts = by_day.get(video_id, [])
                    page = page_of(boxes.get(video_id, []), limit, lambda box: box.of)
                    found[video_id, part] = Found(days, _total(counts), counts, page, titles)
        return [found.get(each) or not_there() for each in asked]

    async def _of_all(self, days: Days, after: tuple[int, str] | None, limit: int) -> Found:
        async with self._database.read() as session:
            by_day = await repository.by_day(session, days)
            videos = await repository.top(session, days, after=after, limit=limit + 1)
            titles = await repository.titles(session, [video.of for video in videos])
        page = page_of(videos, limit, lambda video: f"{video.counts.views} {video.of}")
        return Found(days, _total(by_day), by_day, page, titles)


def _total(counts: list[CountsOf]) -> Counts:
    return Counts(
        views=sum(each.counts.views for each in counts),
        completed=sum(each.counts.completed for each in counts),
        seconds=sum(each.counts.seconds for each in counts),
    )


def _behind(cursor: str | None) -> tuple[int, str] | None:
    """The views and the id after which the page begins. Raises InvalidRequestError."""
    position = from_cursor(cursor)
    if position is None:
        return None
    views, _, video_id = position.partition(" ")
    if not (views.isdecimal() and len(views) < 19 and is_id(video_id)):
        raise bad_cursor()
    return int(views), video_id
