"""Statistics with a real Redis beside the database: quicker, and never another answer."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
import sqlalchemy
from redis.asyncio import Redis
from structlog.testing import capture_logs

from cast_util.backoff import Backoff
from central.core import redis_cache
from tests.central.analytics.test_analytics import shown, stats, video
from tests.central.support.servers import RedisServer
from tests.central.support.service import Central, served
from tests.support.tools import until


@dataclass
class Sums:
    """Counts how often the database is asked to sum views."""

    count: int = 0

    def follow(self, central: Central) -> None:
        engine = central.services.database.engine.sync_engine
        sqlalchemy.event.listen(engine, "before_cursor_execute", self._executes)

    def _executes(self, *args: object) -> None:
        self.count += str(args[2]).startswith("SELECT") and "FROM video_views" in str(args[2])


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redis_cache, "TIMEOUT_S", 5.0)  # a server that is well is not too slow on a busy machine
    monkeypatch.setattr(redis_cache, "LOOK_EVERY_S", 0.05)
    monkeypatch.setattr(redis_cache, "PAUSES", Backoff(0.02, cap_s=0.05))


@contextlib.asynccontextmanager
async def instances(database_url: str, redis_url: str) -> AsyncIterator[tuple[Central, Central]]:
    """Two that share a database and a cache."""
    cache = {"url": redis_url}
    async with served(database_url, cache=cache) as one, served(database_url, cache=cache) as two:
        checks = [each.services.servers.checks["cache"] for each in (one, two)]
        await until(lambda: all(check().available for check in checks))
        yield one, two


async def test_statistics_are_summed_once_until_a_view_is_counted(database_url: str, redis: RedisServer) -> None:
    """For all instances; a view, a reset and a new title are told at once, whoever hears of them."""
    async with instances(database_url, redis.url) as (one, two):
        film, box, sums = await video(one), await one.box(), Sums()
        await box.send(shown(box, film, one.clock.at))
        sums.follow(one)
        sums.follow(two)

        async def views() -> set[int]:
            answers = [await stats(each, film) for each in (one, two, one)]
            answers += [await each.admin("GET", "/api/v1/analytics") for each in (one, two, one)]
            assert answers[0].body == answers[1].body == answers[2].body
            assert answers[3].body == answers[4].body == answers[5].body
            return {answer["total"]["views"] for answer in answers}

        assert (await views(), sums.count) == ({1}, 3)  # of the video; of all by day and by video
        assert (await views(), sums.count) == ({1}, 3)
        await box.send(shown(box, film, one.clock.at))
        assert (await views(), sums.count) == ({2}, 6)
        assert (await two.admin("PATCH", f"/api/v1/videos/{film}", {"title": "New"})).status == 200
        assert (await stats(one, film))["title"] == "New"
        assert (await two.admin("DELETE", f"/api/v1/videos/{film}/stats")).status == 204
        assert (await views(), sums.count) == ({0}, 9)


async def test_statistics_are_right_without_the_cache(sqlite_url: str, redis: RedisServer) -> None:
    """While Redis is gone, /health says so and each answer comes from the database; what others wrote under our names
    is no answer."""
    async with instances(sqlite_url, redis.url) as (one, two):
        film, box = await video(one), await one.box()
        assert (await stats(two, film))["total"]["views"] == 0
        async with Redis.from_url(redis.url) as client:
            for name in [name async for name in client.scan_iter("*:answer:*")]:
                await client.set(name, b'[[["tomorrow", [1]]], []]')
        with capture_logs() as logs:
            assert (await stats(two, film))["total"]["views"] == 0
            assert "cached_answer_rejected" in [line["event"] for line in logs]
        assert (await one.anybody("GET", "/health"))["cache"] == {"status": "available", "detail": None}
        with capture_logs() as logs:
            redis.end()
            for number in (1, 2, 3):
                await box.send(shown(box, film, one.clock.at))
                assert [(await stats(each, film))["total"]["views"] for each in (one, two)] == [number] * 2
            await until(lambda: [line["event"] for line in logs].count("cache_lost") == 2)
            health = await one.anybody("GET", "/health")
            assert (health.status, health["status"], health["cache"]["status"]) == (200, "degraded", "unavailable")
            redis.start()
            await until(lambda: [line["event"] for line in logs].count("cache_recovered") == 2)
        assert [(await stats(each, film))["total"]["views"] for each in (one, two)] == [3] * 2
