"""The servers beside the database that the configuration switches on. Their libraries are loaded only then."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from cast_util.health import Check
from central.core.cache import Cache, NoCache
from central.core.settings import BrokerSettings, CacheSettings
from central.core.wakes import LocalWakes, Wakes
from central.core.workers import Worker


@dataclass(frozen=True, slots=True)
class Servers:
    """What the service has of them, or has in their place."""

    cache: Cache
    wakes: Wakes
    workers: Mapping[str, Worker]
    """Those that look after the connections, by the name of the section."""
    checks: Mapping[str, Callable[[], Check]]
    """Whether each that is configured can be used."""


def servers_of(cache_settings: CacheSettings, broker: BrokerSettings) -> Servers:
    """Connects to nothing yet."""
    cache: Cache = NoCache()
    wakes: Wakes = LocalWakes()
    workers: dict[str, Worker] = {}
    checks: dict[str, Callable[[], Check]] = {}
    if cache_settings.url is not None:
        from central.core.redis_cache import RedisCache

        cache = redis = RedisCache(cache_settings.url, prefix=cache_settings.prefix)
        workers["cache"], checks["cache"] = redis.run, redis.check
    if broker.url is not None:
        from central.core.rabbit_wakes import RabbitWakes

        wakes = rabbit = RabbitWakes(broker.url)
        workers["broker"], checks["broker"] = rabbit.run, rabbit.check
    return Servers(cache, wakes, workers, checks)
