"""What has to be done now and then: boxes that are gone for good, and forgetting."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import Final

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from central.db.engine import Database
from central.db.tables import Stream
from central.errors import DatabaseUnavailableError
from central.repositories import access, devices, events, streams
from central.services.pages import Clock, utc_now
from central.settings import DeviceSettings, RetentionSettings
from central.types import StreamEnd

log = structlog.stdlib.get_logger(__name__)

EVERY_S: Final = 600.0
PORTION: Final = 1_000
"""Rows of one unit of work: a few milliseconds, so that nobody waits behind it."""
PAUSE_S: Final = 0.05
"""Between two of them: whoever waits for the database has his turn."""


class Upkeep:
    """Sweeps at intervals; several instances may do so at once."""

    def __init__(
        self, database: Database, devices_: DeviceSettings, retention: RetentionSettings, *, now: Clock = utc_now
    ) -> None:
        self._database = database
        self._devices = devices_
        self._retention = retention
        self._now = now

    async def run(self) -> None:
        """Until it is cancelled."""
        while True:
            with contextlib.suppress(DatabaseUnavailableError):  # logged where it was noticed; there is a next time
                await self.once()
            await asyncio.sleep(EVERY_S)

    async def once(self) -> None:
        now = self._now()
        await self._end_lost(now - timedelta(hours=self._devices.lost))
        old_events = now - timedelta(days=self._retention.events)
        old_streams = now - timedelta(days=self._retention.streams)
        forgotten = {
            "events": await self._forget(events.forget, before=old_events),
            "streams": await self._forget(streams.forget, before=old_streams),
        }
        await self._database.write(lambda session: devices.forget_boots(session, before=old_events))
        await self._database.write(lambda session: access.forget_enrolments(session, before=old_events))
        if any(forgotten.values()):
            log.info("records_deleted", **forgotten)

    async def _forget(self, forget: Callable[..., Awaitable[int]], *, before: datetime) -> int:
        total = 0
        while True:
            number = await self._database.write(lambda session: forget(session, before=before, limit=PORTION))
            total += number
            if number < PORTION:
                return total
            await asyncio.sleep(PAUSE_S)

    async def _end_lost(self, before: datetime) -> None:
        async def work(session: AsyncSession) -> Sequence[Stream]:
            lost = await devices.lock_lost(session, before=before)
            return await streams.end(session, reason=StreamEnd.DEVICE_LOST, now=self._now(), device_id=lost)

        for stream in await self._database.write(work):
            log.info("stream_ended", stream_id=stream.id, device_id=stream.device_id, reason=StreamEnd.DEVICE_LOST)
