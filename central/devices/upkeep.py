"""The upkeep of boxes: the end of those that are gone for good, and the deletion of old records."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from central.core.db.engine import Database
from central.core.forgetting import forget
from central.core.pages import Clock, utc_now
from central.core.settings import RetentionSettings
from central.devices import enrolment_repository, event_repository, repository
from central.devices.settings import DeviceSettings
from central.streams import repository as streams
from central.streams.tables import Stream
from central.streams.types import StreamEnd

log = structlog.stdlib.get_logger(__name__)


class Upkeep:
    """Sweeps; several instances may do so at once."""

    def __init__(
        self, database: Database, settings: DeviceSettings, retention: RetentionSettings, *, now: Clock = utc_now
    ) -> None:
        self._database = database
        self._settings = settings
        self._retention = retention
        self._now = now

    async def once(self) -> None:
        """Sweep. Raises DatabaseUnavailableError."""
        now = self._now()
        await self._end_lost(now - timedelta(hours=self._settings.lost))
        old = now - timedelta(days=self._retention.events)
        count = await forget(self._database, event_repository.forget, before=old)
        await self._database.write(lambda session: repository.forget_boots(session, before=old))
        await self._database.write(lambda session: enrolment_repository.forget_enrolments(session, before=old))
        if count:
            log.info("records_deleted", events=count)

    async def _end_lost(self, before: datetime) -> None:
        async def work(session: AsyncSession) -> Sequence[Stream]:
            lost = await repository.lock_lost(session, before=before)
            return await streams.end(session, reason=StreamEnd.DEVICE_LOST, now=self._now(), device_id=lost)

        for stream in await self._database.write(work):
            log.info("stream_ended", stream_id=stream.id, device_id=stream.device_id, reason=StreamEnd.DEVICE_LOST)
