"""Live streams as a feature of the service."""

from __future__ import annotations

from datetime import timedelta

import structlog

from central.core.db.engine import Database
from central.core.feature import Feature
from central.core.forgetting import EVERY_S, forget
from central.core.pages import Clock
from central.core.settings import RetentionSettings
from central.core.workers import repeated
from central.library.service import Library
from central.live import repository
from central.live.addresses import PublishUrls
from central.live.operations import OPERATIONS
from central.live.recording import ALIGN_S, SWEEP_S, Recording
from central.live.service import Lives
from central.media.server import MediaServer
from central.media.service import Media
from central.media.settings import MediaMtxSettings
from central.streams.service import Streams

log = structlog.stdlib.get_logger(__name__)


def live_feature(
    database: Database,
    streams: Streams,
    media: Media,
    library: Library,
    settings: MediaMtxSettings,
    server: MediaServer,
    retention: RetentionSettings,
    *,
    keep_free: int,
    now: Clock,
) -> Feature[Lives]:
    """All of it on a database that is up to date. `keep_free` bytes are left on the disk of the recordings."""
    recording = Recording(
        database, server, media.reconciliation, library.imports, settings.recordings, keep_free=keep_free, now=now
    )
    lives = Lives(database, media.stream_keys, streams, PublishUrls(settings), recording, now=now)

    async def upkeep() -> None:
        old = now() - timedelta(days=retention.streams)
        if count := await forget(database, repository.forget, before=old):
            log.info("records_deleted", lives=count)

    workers = {"upkeep": repeated(upkeep, every_s=EVERY_S)}
    if recording.is_configured:
        workers["recording"] = repeated(recording.align, every_s=ALIGN_S)
        workers["sweep"] = repeated(recording.sweep, every_s=SWEEP_S)
    return Feature("live", lives, OPERATIONS, workers=workers)
