"""The cache in a real Redis: what it answers is never older than a change, and losing it loses nothing."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Callable

import pytest
from redis.asyncio import Redis
from structlog.testing import capture_logs

from cast_util.backoff import Backoff
from central.core import redis_cache
from central.core.cache import Question, Recalled
from central.core.redis_cache import RedisCache
from tests.central.support.servers import PASSWORD, RedisServer
from tests.support.tools import until

QUESTIONS = (Question("film", "all days"), Question("film", "one day"), Question("other", "all days"))
NOTHING = [Recalled(None, None)]


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks and pauses of a test, not of a day; and a server that is well is not too slow on a busy machine."""
    monkeypatch.setattr(redis_cache, "TIMEOUT_S", 5.0)
    monkeypatch.setattr(redis_cache, "LOOK_EVERY_S", 0.05)
    monkeypatch.setattr(redis_cache, "PAUSES", Backoff(0.02, cap_s=0.05))


@contextlib.asynccontextmanager
async def opened(url: str, prefix: str = "test", *, usable: bool = True) -> AsyncIterator[RedisCache]:
    """An instance's cache, once it can be used."""
    cache = RedisCache(url, prefix=prefix)
    running = asyncio.create_task(cache.run())
    try:
        await until(lambda: cache.check().available == usable)
        yield cache
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def values(cache: RedisCache) -> list[bytes | None]:
    return [value for value, _ in await cache.recall(QUESTIONS)]


async def keep_all(cache: RedisCache) -> None:
    """Look up every question, with an answer of its own for each."""
    recalled = await cache.recall(QUESTIONS)
    await cache.keep({place: str(number).encode() for number, (_, place) in enumerate(recalled) if place is not None})


async def test_answers_are_kept_until_their_topic_changes(redis: RedisServer) -> None:
    """For all instances with the same prefix, and for nobody else; for a minute at most."""
    async with opened(redis.url) as one, opened(redis.url) as two, opened(redis.url, "stranger") as stranger:
        await keep_all(one)
        assert await values(two) == [b"0", b"1", b"2"]
        assert await values(stranger) == [None] * 3
        await two.forget(["film"])
        assert await values(one) == [None, None, b"2"]
        async with Redis.from_url(redis.url) as client:
            names = [name async for name in client.scan_iter("test:*")]
            assert len(names) > 3
            assert all([0 < await client.ttl(name) <= redis_cache.TOPIC_KEPT_S for name in names])


async def test_it_ends_though_a_call_swallows_the_cancellation(
    redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As redis-py did once, in the moment in which an answer came."""
    calls = 0

    async def swallow(*_: object, **__: object) -> None:
        nonlocal calls
        calls += 1
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(3600)

    async with opened(redis.url) as cache:
        monkeypatch.setattr(cache._redis, "set", swallow)
        await until(lambda: calls)
    assert calls == 1


async def test_a_late_answer_is_not_found_after_the_change(redis: RedisServer) -> None:
    """Whoever looked before the change keeps what it found after it: nobody is told that."""
    async with opened(redis.url) as one, opened(redis.url) as two:
        await one.forget(["film", "other"])
        [(_, place)] = await one.recall(QUESTIONS[:1])
        await two.forget(["film"])
        assert place is not None
        await one.keep({place: b"old"})
        assert (await values(one))[0] is None


async def test_a_server_that_is_killed_is_told_once(redis: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Callers are answered at once meanwhile, and the check says so; what changed then is not found afterwards, also
    where the server still has it."""
    monkeypatch.setattr(redis_cache, "TIMEOUT_S", 1.0)
    with capture_logs() as logs:
        async with opened(redis.url) as cache:
            await keep_all(cache)
            for stop, go_on in ((redis.end, redis.start), (_pause(redis), _go_on(redis))):
                await keep_all(cache)
                await asyncio.to_thread(stop)
                await until(lambda: not cache.check().available)
                assert await cache.recall(QUESTIONS) == NOTHING * 3
                await cache.forget(["film"])
                await asyncio.to_thread(go_on)
                await until(lambda: cache.check().available)
                assert (await values(cache))[0] is None
    told = [line["event"] for line in logs]
    assert told == ["cache_lost", "cache_recovered"] * 2
    assert PASSWORD not in str(logs)


async def test_a_server_that_is_full_or_flushed_does_no_harm(redis: RedisServer) -> None:
    """What is full refuses to keep: it is not used then. What is flushed begins anew."""
    async with opened(redis.url) as cache, Redis.from_url(redis.url) as client:
        await keep_all(cache)
        await client.flushall()
        assert await values(cache) == [None] * 3
        await keep_all(cache)
        await client.config_set("maxmemory", "1")
        await until(lambda: not cache.check().available)
        await client.config_set("maxmemory", "0")
        await until(lambda: cache.check().available)
        assert await values(cache) == [None] * 3
        await keep_all(cache)
        assert await values(cache) == [b"0", b"1", b"2"]


async def test_a_wrong_password_is_told_without_it(redis: RedisServer) -> None:
    """The log has the reason, and no part of the address."""
    with capture_logs() as logs:
        async with opened(redis.url.replace(PASSWORD, "wrong-password"), usable=False):
            await until(lambda: logs)
    [line] = logs
    assert "invalid" in line["reason"], line
    assert "wrong-password" not in str(logs)


def _pause(redis: RedisServer) -> Callable[[], object]:
    return lambda: redis.send(signal.SIGSTOP)


def _go_on(redis: RedisServer) -> Callable[[], object]:
    return lambda: redis.send(signal.SIGCONT)
