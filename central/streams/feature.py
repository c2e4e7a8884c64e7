"""The streams as a feature of the service."""

from __future__ import annotations

from central.core.db.engine import Database
from central.core.feature import Feature, Gauge
from central.core.forgetting import EVERY_S
from central.core.pages import Clock
from central.core.settings import RetentionSettings
from central.core.workers import repeated
from central.streams.operations import OPERATIONS
from central.streams.publishers import Publishers
from central.streams.service import Streams
from central.streams.types import StreamSource
from central.streams.upkeep import Upkeep
from central.streams.urls import PlayUrls


def streams_feature(
    database: Database, publishers: Publishers, urls: PlayUrls, retention: RetentionSettings, *, now: Clock
) -> Feature[Streams]:
    """All of it on a database that is up to date."""
    service = Streams(database, publishers, urls, now=now)

    async def active() -> dict[str, float]:
        found = await service.count_active()
        return {source.value: found.get(source, 0) for source in StreamSource}

    return Feature(
        "streams",
        service,
        OPERATIONS,
        workers={"upkeep": repeated(Upkeep(database, retention, now=now).once, every_s=EVERY_S)},
        gauges=(Gauge("cast_central_streams_active", "Streams that are on.", active, label="source"),),
    )
