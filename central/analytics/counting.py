"""Counts the views that boxes report, within the unit of work that keeps their events."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from typing import Any, Final

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from cast_wire import models as wire
from cast_wire.kinds import EventKind
from central.analytics import repository
from central.analytics.sums import ALL
from central.core.cache import Cache

LATE: Final = timedelta(days=8)
"""A box keeps unsent events for 7 days, so an event that claims to be older comes from a wrong clock."""

log = structlog.stdlib.get_logger(__name__)


class Counting:
    """Counts the sessions that end with events, each of which is new."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache

    async def count(self, session: AsyncSession, events: Sequence[wire.Event], now: datetime) -> None:
        """Count them within the unit of work that keeps the events. A video that never was in the library is left
        out."""
        await _count(session, events, now)

    async def counted(self, events: Sequence[wire.Event]) -> None:
        """The unit of work is done: what is cached of these videos is out of date."""
        videos = {shown.video_id for event in events if (shown := _shown(event)) is not None}
        if videos:
            await self._cache.forget([*videos, ALL])


async def _count(session: AsyncSession, events: Sequence[wire.Event], now: datetime) -> None:
    ended = [(event, shown) for event in events if (shown := _shown(event)) is not None]
    if not ended:
        return
    known = await repository.titles(session, {shown.video_id for _, shown in ended})
    for shown in (shown for _, shown in ended if shown.video_id not in known):
        log.info("view_skipped", video_id=shown.video_id)
    rows = _rows((event, shown, day_of(event, now)) for event, shown in ended if shown.video_id in known)
    if rows:
        await repository.add(session, rows)


def day_of(event: wire.Event, now: datetime) -> date:
    """The day of an event by the clock of its box, or the day of its arrival if that clock cannot be right."""
    at = event.occurred_at
    return at.date() if now - LATE <= at <= now else now.date()


def _shown(event: wire.Event) -> wire.VideoShown | None:
    if event.kind != EventKind.SESSION_ENDED:
        return None
    return wire.SessionEnded.model_validate(event.data).shown


def _rows(ended: Iterable[tuple[wire.Event, wire.VideoShown, date]]) -> list[dict[str, Any]]:
    """The rows to add, in the order in which they are locked."""
    rows = [
        {
            "video_id": shown.video_id,
            "day": day,
            "device_id": event.device_id,
            "views": 1,
            "completed": int(shown.completed),
            "seconds": shown.seconds,
        }
        for event, shown, day in ended
    ]
    return sorted(rows, key=lambda row: (row["device_id"], row["day"], row["video_id"]))
