"""Clients of the ESPHome API that are broken, slow or hostile: they cost a connection, and nothing else."""

from __future__ import annotations

import asyncio
import os
import random
from contextlib import AsyncExitStack
from io import StringIO
from pathlib import Path

import pytest

from agent.frontends.esphome import outbox
from agent.frontends.esphome.connection import Timings
from agent.frontends.esphome.messages import api
from agent.frontends.esphome.outbox import BYTES_LIMIT
from agent.frontends.esphome.server import CLIENTS_LIMIT
from tests.support.esphome import KEY, Secret, face, framed, text
from tests.support.malformed import send_esphome

SOCKETS_BYTES = 16 * 1024 * 1024
"""Bytes that exceed the buffers of both sockets."""


async def ended(reader: asyncio.StreamReader) -> None:
    """Wait until the other side has closed."""
    async with asyncio.timeout(5):
        try:
            while await reader.read(65536):
                pass
        except ConnectionError:
            pass


@pytest.mark.parametrize("begin", [b"", b"\x01", b"\x01\0\0", b"\x01\0\0\x01\0\x31\0half of a handshake"])
async def test_who_says_no_hello_in_time_is_disconnected(tmp_path: Path, begin: bytes) -> None:
    """A client is disconnected then, however far it has come."""
    async with face(tmp_path, timings=Timings(hello=0.2)) as served, served.raw() as (reader, writer):
        writer.write(begin)
        await ended(reader)


async def test_a_silent_client_is_disconnected(tmp_path: Path, logged: StringIO) -> None:
    """It has lost its power or its network; one that pings stays, also on a machine that stalls for a second."""
    async with (
        face(tmp_path, timings=Timings(silence=1.2)) as served,
        served.secret() as silent,
        served.secret() as pinging,
    ):
        gone = asyncio.ensure_future(ended(silent.reader))
        while not gone.done():
            pinging.send(7)
            assert await pinging.receive() == 8
            await asyncio.sleep(0.05)
        await gone
        assert len(served.server.status.clients) == 1
    assert "the client is silent" in logged.getvalue()


async def test_a_client_that_does_not_read_is_disconnected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, logged: StringIO
) -> None:
    """It is disconnected after a time, even while what waits for it is within its bounds."""
    monkeypatch.setattr(outbox, "BYTES_LIMIT", 1 << 30)
    async with face(tmp_path, timings=Timings(write=0.2)) as served, served.secret() as client:
        client.send(20)
        await served.until(lambda: served.box.peers, "it has subscribed")
        [peer] = served.box.peers
        for _ in range(SOCKETS_BYTES // 60000):
            peer.put(api.CameraImageResponse(key=1, data=bytes(60000)))
        await served.until(lambda: not served.box.peers, "it is disconnected")
    assert "the client does not read" in logged.getvalue()


async def test_what_waits_for_a_client_is_bounded(tmp_path: Path, logged: StringIO) -> None:
    """The bound holds at once, without a wait for the network."""
    async with face(tmp_path) as served, served.secret() as client:
        client.send(20)
        await served.until(lambda: served.box.peers, "it has subscribed")
        [peer] = served.box.peers
        for _ in range(BYTES_LIMIT // 60000 + 1):
            peer.put(api.CameraImageResponse(key=1, data=bytes(60000)))
        await served.until(lambda: not served.box.peers, "it is disconnected")
        peer.put(api.PingRequest())
        peer.put_state(1, api.PingRequest())
        peer.relist()  # nothing of this raises after the end
    assert "the client does not read" in logged.getvalue()


async def test_strangers_keep_nobody_out(tmp_path: Path) -> None:
    """Whoever opens connections and says nothing makes room for the next one, and for who knows the key."""
    async with AsyncExitStack() as strangers:
        served = await strangers.enter_async_context(face(tmp_path))
        readers = [(await strangers.enter_async_context(served.raw()))[0] for _ in range(CLIENTS_LIMIT + 1)]
        await ended(readers[0])
        async with served.client(text(KEY)) as client:
            assert (await client.device_info()).name == "living-room"


async def test_the_client_that_was_silent_for_longest_makes_room(tmp_path: Path) -> None:
    """The client is one of those that know the key: most likely its connection is dead."""
    async with AsyncExitStack() as clients:
        served = await clients.enter_async_context(face(tmp_path))
        known = [await clients.enter_async_context(served.secret()) for _ in range(CLIENTS_LIMIT)]
        known[0].send(7)
        assert await known[0].receive() == 8
        await clients.enter_async_context(served.secret())
        await ended(known[1].reader)
        assert len(served.server.status.clients) == CLIENTS_LIMIT


async def test_the_hello_counts_as_something_heard(tmp_path: Path) -> None:
    """The time counts from the hello, not from the opening of the connection: a client that has just said who it is was
    not silent."""
    async with AsyncExitStack() as clients:
        served = await clients.enter_async_context(face(tmp_path))
        slow = await clients.enter_async_context(served.raw())
        known = [await clients.enter_async_context(served.secret()) for _ in range(CLIENTS_LIMIT - 1)]
        greeted = await Secret.greeted(*slow)
        await clients.enter_async_context(served.secret())
        await ended(known[0].reader)
        greeted.send(7)
        assert await greeted.receive() == 8


@pytest.mark.parametrize(
    "sent",
    [
        framed(b"\0" * 300),  # a hello that is too long
        b"\x01\0\0" + framed(b"\0" * 300),
        b"\x01\0\0" + framed(b""),
        b"\x01\0\0" + framed(b"\0" + bytes(48)),  # a key that cannot be agreed on
        b"\x01\0\0\0",
        b"\x02",
        b"GET / HTTP/1.1\r\n\r\n",
        b"\0\xff\xff\xff\xff\xff",
    ],
)
async def test_what_is_no_handshake_is_refused_at_once(tmp_path: Path, logged: StringIO, sent: bytes) -> None:
    """No line is logged, because a network scan could fill the log."""
    async with face(tmp_path) as served, served.raw() as (reader, writer):
        writer.write(sent)
        await ended(reader)
        assert '"level": "error"' not in logged.getvalue()


@pytest.mark.parametrize("key", [pytest.param(KEY, id="with a key"), pytest.param(None, id="without a key")])
async def test_malformed_messages_leave_nothing_behind(tmp_path: Path, logged: StringIO, key: bytes | None) -> None:
    """Hundreds of them, with the key and without, leave no fault, no task and no socket, and the next client is served.
    `python -m soak.faces` sends ten thousand to the whole agent."""
    source = random.Random(6053)
    async with face(tmp_path, key=key) as served:
        tasks, files = len(asyncio.all_tasks()), len(os.listdir("/proc/self/fd"))
        sent = 0
        while sent < 600:
            sent += await send_esphome(served.port, source, key or bytes(32))
        await served.until(lambda: len(asyncio.all_tasks()) <= tasks, "all tasks have ended")
        await served.until(lambda: len(os.listdir("/proc/self/fd")) <= files, "all sockets are closed")
        faults = [line for line in logged.getvalue().splitlines() if '"level": "error"' in line]
        assert faults == []
        async with served.client(text(key or bytes(32))) as client:
            assert (await client.device_info()).name == "living-room"
        assert served.server.keys.key == key
