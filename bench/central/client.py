"""A client that costs as little as can be: on two cores what it uses is missing for what is measured."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, cast

import orjson

ANSWER_S = 30.0
"""The longest wait for an answer. No measured call takes nearly as long; a missing answer ends the run with an
error."""


def request(method: str, path: str, *, token: str = "", body: Any = None) -> bytes:
    """The bytes of a request."""
    content = b"" if body is None else orjson.dumps(body)
    head = f"{method} {path} HTTP/1.1\r\nHost: central\r\nContent-Length: {len(content)}\r\n"
    if token:
        head += f"Authorization: Bearer {token}\r\n"
    return head.encode() + b"\r\n" + content


class Connection(asyncio.Protocol):
    """One connection, one request at a time."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._received = bytearray()
        self._answer: asyncio.Future[tuple[int, bytes]] | None = None

    @classmethod
    async def to(cls, port: int) -> Connection:
        _, connection = await asyncio.get_running_loop().create_connection(cls, "127.0.0.1", port)
        return connection

    async def ask(self, sent: bytes) -> tuple[int, bytes]:
        """Status and body of the answer."""
        assert self._transport is not None
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(sent)
        return await self._answer

    async def call(self, method: str, path: str, *, token: str = "", body: Any = None) -> Any:
        """Make a call and return the answer, which has to be a success."""
        status, content = await self.ask(request(method, path, token=token, body=body))
        assert 200 <= status < 300, (status, content)
        return orjson.loads(content) if content else None

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one by its methods alone

    def data_received(self, data: bytes) -> None:
        self._received += data
        end = self._received.find(b"\r\n\r\n")
        if end < 0:
            return
        head = bytes(self._received[:end])
        at = head.lower().find(b"content-length:")
        length = int(head[at + 15 :].partition(b"\r\n")[0]) if at >= 0 else 0
        if len(self._received) < end + 4 + length:
            return
        body = bytes(self._received[end + 4 : end + 4 + length])
        self._received.clear()
        if self._answer is not None and not self._answer.done():
            self._answer.set_result((int(head[9:12]), body))

    def connection_lost(self, exc: Exception | None) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(ConnectionError("the connection was closed before the answer"))


async def closed_loop(port: int, *, clients: int, seconds: float, next_request: Callable[[int], bytes]) -> Load:
    """Run so many clients, each of which asks again as soon as it is answered, and return milliseconds of every answer,
    and the statuses. `next_request` gets the number of the client."""
    load = Load(clients=clients)

    async def client(number: int) -> None:
        connection = await Connection.to(port)
        try:
            while time.perf_counter() < end:
                sent = next_request(number)
                began = time.perf_counter()
                status, _ = await connection.ask(sent)
                load.note(began, status)
        finally:
            connection.close()

    began = time.perf_counter()
    end = began + seconds
    async with asyncio.timeout(seconds + ANSWER_S):
        await asyncio.gather(*(client(number) for number in range(clients)))
    load.seconds = time.perf_counter() - began
    return load


class Load:
    """The answers to the calls of many clients."""

    def __init__(self, *, clients: int) -> None:
        self.clients = clients
        self.seconds = 0.0
        self.milliseconds: list[float] = []
        self.statuses: dict[int, int] = {}

    def note(self, began: float, status: int) -> None:
        self.milliseconds.append((time.perf_counter() - began) * 1000)
        self.statuses[status] = self.statuses.get(status, 0) + 1


async def at_intervals(
    act: Callable[[], Awaitable[None]], *, first_s: float, every_s: Callable[[], float], end: float
) -> None:
    """Act after `first_s`, and then at intervals, until the moment `end` of the event loop's clock."""
    loop = asyncio.get_running_loop()
    at = loop.time() + first_s
    while at < end:
        await asyncio.sleep(max(0.0, at - loop.time()))
        await act()
        at += every_s()
