"""The upkeep of streams."""

from __future__ import annotations

from datetime import timedelta

import structlog

from central.core.db.engine import Database
from central.core.forgetting import forget
from central.core.pages import Clock, utc_now
from central.core.settings import RetentionSettings
from central.streams import repository

log = structlog.stdlib.get_logger(__name__)


class Upkeep:
    """Forgets old streams; several instances may do so at once."""

    def __init__(self, database: Database, retention: RetentionSettings, *, now: Clock = utc_now) -> None:
        self._database = database
        self._retention = retention
        self._now = now

    async def once(self) -> None:
        """Delete streams that ended too long ago. Raises DatabaseUnavailableError."""
        old = self._now() - timedelta(days=self._retention.streams)
        if count := await forget(self._database, repository.forget, before=old):
            log.info("records_deleted", streams=count)
