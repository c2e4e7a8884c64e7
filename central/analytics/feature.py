"""The views of videos as a feature of the service."""

from __future__ import annotations

from datetime import timedelta

from central.analytics.operations import OPERATIONS
from central.analytics.service import Analytics
from central.core.cache import Cache
from central.core.db.engine import Database
from central.core.feature import Feature
from central.core.forgetting import EVERY_S
from central.core.pages import Clock
from central.core.settings import RetentionSettings
from central.core.workers import repeated


def analytics_feature(
    database: Database, cache: Cache, retention: RetentionSettings, *, now: Clock
) -> Feature[Analytics]:
    """Build the feature on a database that is up to date. `Counting` is for the feature that keeps the events."""
    analytics = Analytics(database, cache, kept=timedelta(days=retention.statistics), now=now)
    workers = {"upkeep": repeated(analytics.upkeep, every_s=EVERY_S)}
    return Feature("analytics", analytics, OPERATIONS, workers=workers)
