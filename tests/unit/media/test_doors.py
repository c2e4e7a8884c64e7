"""Knocks at the ports of sources."""

from __future__ import annotations

import asyncio
import socket

import pytest

from agent.media.doors import knock_at, until_open


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_a_knock_tells_who_takes_connections(host: str) -> None:
    """Whether it is an address or a name; the port is asked anew each time."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        knock = knock_at(f"rtsp://viewer:s3cret@{host}:{port}/door")
        assert await knock()
    assert not await knock()
    with socket.create_server(("127.0.0.1", port)):
        assert await knock()


@pytest.mark.parametrize(
    "url",
    [
        "udp://127.0.0.1:9/",
        "file:///film.mp4",
        "rtsp://no-such-name.invalid:1/",
        "http://127.0.0.1:99999/",
        "http://[::1/",
        "mms://127.0.0.1/radio",
        "",
    ],
)
async def test_what_cannot_be_told_counts_as_open(url: str) -> None:
    assert await knock_at(url)()


async def test_it_waits_until_somebody_opens() -> None:
    answers = iter([False, False, True])
    knocks = 0

    async def knock() -> bool:
        nonlocal knocks
        knocks += 1
        return next(answers)

    async with asyncio.timeout(5):
        await until_open(knock, every_s=0.001)
    assert knocks == 3
