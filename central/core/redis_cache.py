"""The cache in Redis, for all instances together."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Any, Final, TypeVar

import structlog
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from cast_util.backoff import Backoff
from cast_util.health import Check
from central.core.cache import Question, Recalled
from central.core.ids import new_id

TIMEOUT_S: Final = 0.25
"""The longest wait of a caller. A server that is well answers in a millisecond, and the database in some more."""
CONNECTIONS: Final = 4
"""The connections of one instance: whoever asks at the same time asks together, so few are in use."""
KEPT_S: Final = 60
"""The time for which an answer is kept. An instance that cannot reach the cache, or is killed, after it changed the
database leaves the old answer to the others for that long."""
TOPIC_KEPT_S: Final = 3600
"""The time for which the version of a topic is kept; its answers are not found without it."""
LOOK_EVERY_S: Final = 5.0
"""Seconds between two looks at a server that is well."""
PAUSES: Final = Backoff(1.0, cap_s=30.0)
"""The pauses between looks at one that is not; no caller waits for it meanwhile."""

PROBLEM: Final = (
    "Redis does not answer, or refuses to keep anything: answers come from the database. The log has the reason; check "
    "cache.url and the server."
)
_TROUBLE: Final = (RedisError, OSError, TimeoutError)

log = structlog.stdlib.get_logger(__name__)

T = TypeVar("T")


class RedisCache:
    """Keeps each answer under the version of its topic, a random word. A topic that changes loses its version, so what
    was looked up before that is not found any more, whoever keeps it later. Versions are never used again, so a server
    that is flushed, full, or restarted with old data does no harm."""

    def __init__(self, url: str, *, prefix: str) -> None:
        """Connects to nothing yet. `prefix` begins all names; instances with the same database share it."""
        pool = BlockingConnectionPool.from_url(
            url,
            max_connections=CONNECTIONS,
            timeout=TIMEOUT_S,
            socket_timeout=TIMEOUT_S,
            socket_connect_timeout=TIMEOUT_S,
            retry=Retry(NoBackoff(), 0),
            client_name="cast-central",
        )
        self._redis: Redis = Redis.from_pool(pool)
        self._prefix = prefix
        self._epoch = f"{prefix}:epoch"
        """The name of the version that all topics share."""
        self._is_open = False
        """Callers use it; `run` alone opens it."""
        self._missed = True
        """A change may have been missed: everything is forgotten before the next use."""
        self._problem = ""

    def check(self) -> Check:
        """Whether the server can be used, for /health."""
        return Check() if self._is_open else Check(False, self._problem or "The connection to Redis is being made.")

    async def run(self) -> None:
        """The worker that looks after the connection."""
        failures = 0
        try:
            while True:
                failures = 0 if await self._reopen() else failures + 1
                if (task := asyncio.current_task()) is not None and task.cancelling():
                    raise asyncio.CancelledError  # redis-py may swallow the one that meets the end of a call
                await asyncio.sleep(PAUSES.after(failures) if failures else LOOK_EVERY_S)
        finally:
            self._is_open = False
            await self._redis.aclose()

    async def recall(self, questions: Sequence[Question]) -> Sequence[Recalled]:
        nothing = [Recalled(None, None)] * len(questions)
        return await self._if_open(partial(self._recall, questions), nothing) if questions else nothing

    async def keep(self, answers: Mapping[str, bytes]) -> None:
        if answers:
            await self._if_open(partial(self._keep, answers), None)

    async def forget(self, topics: Collection[str]) -> None:
        if topics and not await self._if_open(partial(self._forget, topics), False):
            self._missed = True

    async def _if_open(self, use: Callable[[], Awaitable[T]], otherwise: T) -> T:
        if not self._is_open:
            return otherwise
        try:
            async with asyncio.timeout(TIMEOUT_S):
                return await use()
        except _TROUBLE as error:
            self._close(error)
            return otherwise

    async def _reopen(self) -> bool:
        """Have callers use the server if it is well; whether it is."""
        try:
            async with asyncio.timeout(TIMEOUT_S):
                await self._redis.set(f"{self._prefix}:probe", b"", ex=TOPIC_KEPT_S)  # one that is full refuses it
                while self._missed:
                    self._missed = False
                    await self._redis.delete(self._epoch)
        except _TROUBLE as error:
            self._close(error)
            return False
        self._is_open = True
        if self._problem:
            self._problem = ""
            log.info("cache_recovered")
        return True

    def _close(self, error: Exception) -> None:
        self._is_open, self._missed = False, True
        if not self._problem:
            self._problem = PROBLEM
            log.warning("cache_lost", error=type(error).__name__, reason=str(error), meaning=PROBLEM)

    async def _recall(self, questions: Sequence[Question]) -> Sequence[Recalled]:
        topics = list(dict.fromkeys(question.topic for question in questions))
        names = [self._epoch, *(self._version(topic) for topic in topics)]
        found: list[Any] = await self._redis.mget(names)
        if None in found:
            pipeline = self._redis.pipeline(transaction=False)
            for name in (name for name, version in zip(names, found, strict=True) if version is None):
                pipeline.set(name, new_id(), nx=True, ex=TOPIC_KEPT_S)
            pipeline.mget(names)
            found = (await pipeline.execute())[-1]
        # One that the server has dropped since then gets a version that nobody finds.
        epoch, *versions = (new_id() if version is None else version.decode() for version in found)
        version_of = dict(zip(topics, versions, strict=True))
        places = [f"{self._prefix}:answer:{epoch}:{version_of[topic]}:{topic}:{text}" for topic, text in questions]
        values: list[Any] = await self._redis.mget(places)
        return [Recalled(value, place) for value, place in zip(values, places, strict=True)]

    async def _keep(self, answers: Mapping[str, bytes]) -> None:
        pipeline = self._redis.pipeline(transaction=False)
        for place, value in answers.items():
            pipeline.set(place, value, ex=KEPT_S)
        await pipeline.execute()

    async def _forget(self, topics: Collection[str]) -> bool:
        await self._redis.delete(*map(self._version, topics))
        return True

    def _version(self, topic: str) -> str:
        return f"{self._prefix}:version:{topic}"
