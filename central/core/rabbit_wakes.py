"""Wakes workers through RabbitMQ."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import Final

import aio_pika
import structlog
from aio_pika.abc import AbstractConnection, AbstractExchange, AbstractIncomingMessage
from aio_pika.exceptions import AMQPError

from cast_util.backoff import Backoff
from cast_util.health import Check
from central.core.wakes import Wake

EXCHANGE: Final = "cast-central.wakes"
QUEUE_LIMIT: Final = 100
"""Words that wait for one program. There are few topics, so older ones say the same."""
CONNECT_S: Final = 5.0
"""The longest wait for a connection; a server that is there answers in milliseconds, also from afar."""
CONFIRM_S: Final = 5.0
"""The longest wait until the server has taken a word."""
CLOSE_S: Final = 1.0
"""The longest wait for the goodbye of a server, which may be gone."""
PAUSES: Final = Backoff(1.0, cap_s=30.0)
"""The pauses between tries to connect. Workers look by themselves every 5 s meanwhile."""

PROBLEM: Final = (
    "RabbitMQ does not answer, or refuses the connection: workers look for work by themselves, every 5 s. The log has "
    "the reason; check broker.url and the server."
)

log = structlog.stdlib.get_logger(__name__)

# It logs each try that fails as an error, and raises it, too. For debugging it logs every frame, and one has the
# password.
logging.getLogger("aiormq").setLevel(logging.CRITICAL)


class RabbitWakes:
    """Tells all programs that are connected to the server."""

    def __init__(self, url: str) -> None:
        """Connects to nothing yet."""
        self._url = url
        self._wakes: list[tuple[str, Wake]] = []
        self._unsaid: set[str] = set()
        self._added = asyncio.Event()
        self._is_connected = False
        self._problem = ""

    def check(self) -> Check:
        """Whether the server can be used, for /health."""
        if self._is_connected:
            return Check()
        return Check(False, self._problem or "The connection to RabbitMQ is being made.")

    def join(self, topic: str, wake: Wake) -> Wake:
        self._wakes.append((topic, wake))

        def tell() -> None:
            wake()
            self._unsaid.add(topic)
            self._added.set()

        return tell

    async def run(self) -> None:
        """The worker that keeps the connection."""
        failures = 0
        while True:
            try:
                await self._connect()
            except (AMQPError, OSError, TimeoutError) as error:
                failures = 1 if self._is_connected else failures + 1
                self._lost(error)
            finally:
                self._is_connected = False
            if (task := asyncio.current_task()) is not None and task.cancelling():
                raise asyncio.CancelledError  # aio_pika may swallow the one that meets the end of a connection
            await asyncio.sleep(PAUSES.after(failures))

    async def _connect(self) -> None:
        """Listen and tell until the connection is lost, which raises."""
        connection = await aio_pika.connect(self._url, timeout=CONNECT_S)
        lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def ended(*_: object) -> None:
            if not lost.done():
                lost.set_result(None)

        connection.close_callbacks.add(ended)
        try:
            async with asyncio.timeout(CONNECT_S):
                exchange = await self._listen(connection)
            self._recovered()
            telling = asyncio.create_task(self._tell(exchange), name="broker-telling")
            try:
                done, _ = await asyncio.wait((telling, lost), return_when=asyncio.FIRST_COMPLETED)
            finally:
                telling.cancel()
                await asyncio.gather(telling, return_exceptions=True)
            if telling in done:
                telling.result()  # raises what it raised
            raise ConnectionError("the connection was lost")
        finally:
            with contextlib.suppress(AMQPError, OSError, TimeoutError):
                async with asyncio.timeout(CLOSE_S):
                    await connection.close()

    async def _listen(self, connection: AbstractConnection) -> AbstractExchange:
        channel = await connection.channel()
        exchange = await channel.declare_exchange(EXCHANGE, aio_pika.ExchangeType.FANOUT, auto_delete=True)
        queue = await channel.declare_queue(exclusive=True, arguments={"x-max-length": QUEUE_LIMIT})
        await queue.bind(exchange)
        await queue.consume(self._hear, no_ack=True)
        return exchange

    async def _tell(self, exchange: AbstractExchange) -> None:
        while True:
            await self._added.wait()
            self._added.clear()
            for topic in sorted(self._unsaid):
                self._unsaid.discard(topic)
                try:
                    await exchange.publish(aio_pika.Message(topic.encode()), routing_key="", timeout=CONFIRM_S)
                except BaseException:
                    self._unsaid.add(topic)
                    self._added.set()
                    raise

    async def _hear(self, message: AbstractIncomingMessage) -> None:
        self._wake(message.body.decode(errors="replace"))

    def _wake(self, topic: str | None = None) -> None:
        """Wake the workers of this program for a topic, or all of them."""
        for each, wake in self._wakes:
            if topic in (None, each):
                wake()

    def _recovered(self) -> None:
        self._is_connected = True
        self._wake()  # what was told meanwhile was not heard
        if self._problem:
            self._problem = ""
            log.info("broker_recovered")

    def _lost(self, error: Exception) -> None:
        if not self._problem:
            self._problem = PROBLEM
            log.warning("broker_lost", error=type(error).__name__, reason=str(error), meaning=PROBLEM)
