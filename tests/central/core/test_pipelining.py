"""Requests that a caller sends ahead, before the answers to its first ones."""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit

from tests.central.support.service import served


async def test_a_caller_who_sends_many_requests_ahead_holds_up_nobody(sqlite_url: str) -> None:
    """The loop turns between any two of them, also from Python 3.12 on, where aiohttp runs a request at once."""
    many, turns, over = 300, 0, asyncio.Event()

    async def turn() -> None:
        nonlocal turns
        while not over.is_set():
            await asyncio.sleep(0)
            turns += 1

    async with served(sqlite_url) as central, asyncio.timeout(30):
        reader, writer = await asyncio.open_connection("127.0.0.1", urlsplit(central.url).port)
        async with asyncio.TaskGroup() as beside:
            beside.create_task(turn())
            writer.write(b"GET /missing HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" * many)
            answers, tail = 0, b""
            while answers < many:
                tail = tail[-len(b"HTTP/1.1 404 ") + 1 :] + await reader.read(65536)
                answers += tail.count(b"HTTP/1.1 404 ")
            over.set()
        writer.close()
        await writer.wait_closed()
    assert turns >= many
