"""Ends streams whose publisher has been away for longer than it may."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Final

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from central.db.engine import Database
from central.db.tables import Stream
from central.errors import DatabaseUnavailableError
from central.repositories import publishers, streams
from central.services.pages import Clock, utc_now

log = structlog.stdlib.get_logger(__name__)

EVERY_S: Final = 1.0
"""How late viewers learn of an end at most; a look reads an index that is empty as a rule."""
PORTION: Final = 100
"""Streams of one look: after the restart of a media server all may be overdue at once."""


class Interruptions:
    """Looks at intervals; several instances may do so at once. What was interrupted before a restart ends, too: the
    database has the moment."""

    def __init__(self, database: Database, *, now: Clock = utc_now) -> None:
        self._database = database
        self._now = now

    async def run(self) -> None:
        """Until it is cancelled."""
        while True:
            with contextlib.suppress(DatabaseUnavailableError):  # logged where it was noticed; the next look comes soon
                while await self.once() == PORTION:
                    pass
            await asyncio.sleep(EVERY_S)

    async def once(self) -> int:
        """One look; how many were overdue."""
        async with self._database.read() as session:
            overdue = await streams.overdue(session, now=self._now(), limit=PORTION)
        for stream in overdue:
            await self._end(stream)
        return len(overdue)

    async def _end(self, stream: Stream) -> None:
        async def work(session: AsyncSession) -> Stream | None:
            if stream.stream_key_id is not None:
                await publishers.lock_keys(session, id=stream.stream_key_id)
                # The path is kept for as long as the stream: when the publisher was there meanwhile, both are not over.
                await publishers.drop_lapsed(session, [stream.path or ""], now=self._now())
            return await streams.end_overdue(session, stream.id, now=self._now())

        ended = await self._database.write(work)
        if ended is not None:
            log.info("stream_ended", stream_id=ended.id, path=ended.path, reason=ended.end_reason)
