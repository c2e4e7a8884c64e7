"""Ends streams whose publisher has been away for longer than it may."""

from __future__ import annotations

from typing import Final

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from central.core.db.engine import Database
from central.core.pages import Clock, utc_now
from central.media import repository
from central.streams import repository as streams
from central.streams.tables import Stream

log = structlog.stdlib.get_logger(__name__)

EVERY_S: Final = 1.0
"""The greatest delay with which viewers learn of an end; a look reads an index that is usually empty."""
PORTION: Final = 100
"""Streams of one look: after the restart of a media server all may be overdue at once."""


class Interruptions:
    """Looks at intervals; several instances may do so at once. What was interrupted before a restart ends, too: the
    database has the moment."""

    def __init__(self, database: Database, *, now: Clock = utc_now) -> None:
        self._database = database
        self._now = now

    async def all(self) -> None:
        """Looks until nothing is overdue. Raises DatabaseUnavailableError."""
        while await self.once() == PORTION:
            pass

    async def once(self) -> int:
        """One look; how many were overdue."""
        now = self._now()
        async with self._database.read() as session:
            overdue = await streams.overdue(session, repository.nobody_comes(now), now=now, limit=PORTION)
        for stream in overdue:
            await self._end(stream)
        return len(overdue)

    async def _end(self, stream: Stream) -> None:
        async def work(session: AsyncSession) -> Stream | None:
            if stream.stream_key_id is not None:
                await repository.lock_keys(session, id=stream.stream_key_id)
                # The path is kept for as long as the stream: when the publisher was there meanwhile, both are not over.
                await repository.drop_lapsed(session, [stream.path or ""], now=self._now())
            now = self._now()
            return await streams.end_overdue(session, stream.id, repository.nobody_comes(now), now=now)

        ended = await self._database.write(work)
        if ended is not None:
            log.info("stream_ended", stream_id=ended.id, path=ended.path, reason=ended.end_reason)
