"""The views of videos, by day, by box and by video."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from typing import Any, Final, NamedTuple, TypeVar

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from central.analytics import repository
from central.analytics.counting import LATE
from central.analytics.csv_text import csv_lines
from central.analytics.models import StatsQuery
from central.analytics.repository import Days
from central.analytics.sums import ALL, Sums, from_bytes, of_all, of_video, to_bytes
from central.core.batch import Batcher
from central.core.cache import Cache, Question
from central.core.db.engine import Database
from central.core.errors import InvalidRequestError
from central.core.forgetting import forget, in_portions
from central.core.ids import bad_cursor, from_cursor, is_id
from central.core.pages import Clock, id_behind, utc_now
from central.core.shared import Shared
from central.core.types import Caller
from central.library.videos import not_there

DAYS_DEFAULT: Final = 30
DAYS_LIMIT: Final = 366
"""The days of one answer: a year."""
LINES: Final = 1_000
"""The lines of CSV that are read at a time: some 100 KB."""

_FORM: Final = 2
"""The form in which sums are kept. A service of another version that shares the cache does not find ours."""

log = structlog.stdlib.get_logger(__name__)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Found:
    """What an answer about views is made of."""

    days: Days
    sums: Sums
    titles: dict[str, str]
    """The titles by the id of the video, including deleted ones."""


class Asked(NamedTuple):
    """The part of the counts that a caller asks for."""

    days: Days
    after: Any
    """The box or the video behind which the page begins."""
    limit: int

    def question(self, topic: str) -> Question:
        """The same for the cache."""
        return Question(topic, f"{_FORM} {self.days.first} {self.days.last} {self.limit} {self.after}")


class Analytics:
    """Reads, resets and forgets the counts."""

    def __init__(self, database: Database, cache: Cache, *, kept: timedelta, now: Clock = utc_now) -> None:
        """`kept` is how long a day is kept."""
        self._database = database
        self._cache = cache
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
        asked = Asked(self.days(query), _behind(query.cursor), query.limit)
        return await self._shared.ask(asked, partial(self._of_all, asked))

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
                titles = await repository.titles(session, [video["video_id"] for video in found])
            yield csv_lines(
                (video["video_id"], titles.get(video["video_id"], ""), *(video[name] for name in repository.COUNTS))
                for video in found
            )
            if len(found) < LINES:
                return
            after = found[-1]["video_id"]

    async def reset(self, caller: Caller, video_id: str) -> None:
        """Delete the counts of a video, and log who did. Raises VideoNotFoundError."""
        await self.title(video_id)
        rows = await in_portions(self._database, partial(repository.reset, video_id=video_id))
        await self._cache.forget([video_id, ALL])
        log.info("video_stats_deleted", video_id=video_id, rows=rows, by=caller.name, key_id=caller.id or None)

    async def upkeep(self) -> None:
        """Delete the counts that are too old, and the titles that nothing needs. Raises DatabaseUnavailableError."""
        now = self._now()
        count = await forget(self._database, repository.forget, before=now - self._kept)
        titles = await forget(self._database, repository.forget_titles, before=now - LATE)
        if count or titles:
            log.info("records_deleted", video_views=count, video_titles=titles)

    async def _of_videos(self, asked: Sequence[tuple[str, Asked]]) -> Sequence[Found | BaseException]:
        unique = list(dict.fromkeys(asked))
        recalled = await self._cache.recall([part.question(video_id) for video_id, part in unique])
        known = {
            each: sums
            for each, (value, _) in zip(unique, recalled, strict=True)
            if (sums := from_bytes(value)) is not None
        }
        async with self._database.read() as session:
            titles = await repository.titles(session, {video_id for video_id, _ in known}) if known else {}
            counted = await _counted(session, [each for each in unique if each not in known])
        titles |= {video_id: counts.title for (video_id, _), counts in counted.items()}
        new = {each: of_video(counts, limit=each[1].limit) for each, counts in counted.items()}
        places = {each: place for each, (_, place) in zip(unique, recalled, strict=True) if place is not None}
        await self._cache.keep({places[each]: to_bytes(sums) for each, sums in new.items() if each in places})
        known |= new
        return [
            Found(each[1].days, known[each], titles) if each in known and each[0] in titles else not_there()
            for each in asked
        ]

    async def _of_all(self, asked: Asked) -> Found:
        [(value, place)] = await self._cache.recall([asked.question(ALL)])
        known = from_bytes(value)
        if (sums := known) is None:  # both read all views of the days, so side by side
            by_day = partial(repository.by_day, days=asked.days)
            top = partial(repository.top, days=asked.days, after=asked.after, limit=asked.limit + 1)
            sums = of_all(*await asyncio.gather(self._read(by_day), self._read(top)), limit=asked.limit)
        titles = await self._read(partial(repository.titles, ids=[video["video_id"] for video in sums.items]))
        if known is None and place is not None:
            await self._cache.keep({place: to_bytes(sums)})
        return Found(asked.days, sums, titles)

    async def _read(self, look: Callable[[AsyncSession], Awaitable[T]]) -> T:
        async with self._database.read() as session:
            return await look(session)


async def _counted(
    session: AsyncSession, asked: Sequence[tuple[str, Asked]]
) -> dict[tuple[str, Asked], repository.VideoCounts]:
    together: defaultdict[Asked, list[str]] = defaultdict(list)
    for video_id, part in asked:
        together[part].append(video_id)
    found: dict[tuple[str, Asked], repository.VideoCounts] = {}
    for part, ids in together.items():
        counted = await repository.of_videos(session, part.days, ids, after=part.after, limit=part.limit + 1)
        found |= {(video_id, part): counts for video_id, counts in counted.items()}
    return found


def _behind(cursor: str | None) -> tuple[int, str] | None:
    """The views and the id after which the page begins. Raises InvalidRequestError."""
    position = from_cursor(cursor)
    if position is None:
        return None
    views, _, video_id = position.partition(" ")
    if not (views.isdecimal() and len(views) < 19 and is_id(video_id)):
        raise bad_cursor()
    return int(views), video_id
