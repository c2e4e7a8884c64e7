"""Publishers and the media server, as a feature of the service."""

from __future__ import annotations

from central.core.access.service import Access
from central.core.db.engine import Database
from central.core.feature import Feature, Gauge
from central.core.pages import Clock
from central.core.workers import repeated
from central.media.interruptions import EVERY_S, Interruptions
from central.media.operations import OPERATIONS
from central.media.publishing import Publishing
from central.media.reconcile import Reconciliation
from central.media.server import MediaServer
from central.media.service import Media
from central.media.settings import MediaMtxSettings
from central.media.stream_keys import StreamKeys
from central.media.viewing import Viewing


def media_feature(
    database: Database, access: Access, settings: MediaMtxSettings, server: MediaServer, *, now: Clock
) -> Feature[Media]:
    """All of it on a database that is up to date."""
    publishing = Publishing(database, settings, server, now=now)
    reconciliation = Reconciliation(database, settings, server, publishing, now=now)
    interruptions = Interruptions(database, now=now)
    media = Media(
        stream_keys=StreamKeys(database, server, now=now),
        publishing=publishing,
        viewing=Viewing(access, publishing, settings),
        interruptions=interruptions,
        reconciliation=reconciliation,
    )

    async def up() -> dict[str, float]:
        return {"": 1 if reconciliation.reachable else 0}

    workers = {"interruptions": repeated(interruptions.all, every_s=EVERY_S)}
    if reconciliation.is_configured:
        workers["reconciliation"] = reconciliation.run
    return Feature(
        "media",
        media,
        OPERATIONS,
        workers=workers,
        gauges=(Gauge("cast_central_mediamtx_up", "Whether MediaMTX answers.", up, is_stored=False),),
    )
