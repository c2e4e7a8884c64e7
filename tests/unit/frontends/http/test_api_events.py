"""`GET /events`: the snapshot, the changes, catching up, and who is turned away."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientResponse, ClientSession

from agent.access.keys import KeyFile
from agent.events import bus as bus_module
from agent.events.bus import HISTORY_LIMIT, EventBus
from agent.frontends.http import events
from cast_wire.kinds import EventKind
from cast_wire.storable import storable
from tests.support.api import ScriptedStage, ScriptedTracker, Tracked, served_by, tracked
from tests.support.fakes import FakePlayers

END = b"0\r\n\r\n"
"""The end of an answer that is whole."""


@dataclass
class Message:
    kind: str
    id: str
    data: dict[str, Any]


class Follower:
    def __init__(self, response: ClientResponse) -> None:
        self.response = response

    async def next(self) -> Message:
        fields = {"event": "message", "id": "", "data": ""}
        async with asyncio.timeout(5):
            async for raw in self.response.content:
                line = raw.decode().rstrip("\r\n")
                if not line and fields["data"]:
                    return Message(fields["event"], fields["id"], json.loads(fields["data"]))
                name, _, value = line.partition(": ")
                if name in fields:
                    fields[name] = value
        raise EOFError

    async def until(self, kind: str) -> Message:
        while (message := await self.next()).kind != kind:
            pass
        return message


@asynccontextmanager
async def following(client: ClientSession, last: str = "", **headers: str) -> AsyncIterator[Follower]:
    more = {"Last-Event-ID": last} if last else {}
    async with client.get("/events", headers=more | headers) as response:
        assert (response.status, response.content_type) == (200, "text/event-stream")
        yield Follower(response)


@pytest.fixture
async def box() -> AsyncIterator[Tracked]:
    async with tracked() as box:
        yield box


async def test_the_state_comes_first_and_then_each_change(box: Tracked) -> None:
    async with following(box.client) as follower:
        first = await follower.next()
        assert (first.kind, first.data["status"]) == ("snapshot", "idle")
        await box.client.post("/start?wait=5", json={"url": "http://film/one.mp4"})
        started = await follower.until("session_started")
        assert started.data["data"]["url"] == "http://film/one.mp4"
        frame = await follower.until("first_frame")
        assert frame.data["status"]["on_screen"] == frame.data["session_id"] == started.data["session_id"]
        await follower.until("playback_changed")
        await box.client.post("/volume", json={"volume_level": 0.25})
        volume = await follower.until("volume_changed")
        assert volume.data["status"]["volume"]["volume_level"] == 0.25
        assert volume.data["data"] == {"level": 0.25, "muted": False}


async def test_who_lost_the_connection_misses_nothing(box: Tracked) -> None:
    async with following(box.client) as follower:
        first = await follower.next()
    await box.client.post("/volume", json={"volume_level": 0.25})
    await box.client.post("/volume", json={"volume_level": 0.5})
    async with following(box.client, first.id) as follower:
        both = [await follower.next(), await follower.next()]
    assert [message.data["data"]["level"] for message in both] == [0.25, 0.5]


async def test_a_gap_is_said_and_filled() -> None:
    bus, players = EventBus(), FakePlayers()
    async with served_by(ScriptedTracker(), ScriptedStage(), players, bus=bus) as (client, _port):
        for _ in range(HISTORY_LIMIT + 2):
            bus.publish(EventKind.VOLUME_CHANGED)
        for last in (f"{bus.run}-1", "0badf00d-1", f"{bus.run}-99999", "nonsense", f"{bus.run}-²"):
            async with following(client, last) as follower:
                assert [(await follower.next()).kind, (await follower.next()).kind] == ["gap", "snapshot"]


async def test_the_one_beyond_the_limit_is_told_what_to_do(box: Tracked, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "CLIENTS_LIMIT", 3)
    monkeypatch.setattr(events, "LOOK_EVERY_S", 0.05)
    async with AsyncExitStack() as open_pages:
        for _ in range(3):
            await open_pages.enter_async_context(following(box.client))
        async with box.client.get("/events") as refused:
            problem = await refused.json()
        assert (refused.status, problem["code"]) == (503, "too_many_clients")
        assert "Close pages" in problem["detail"]
    async with asyncio.timeout(5):
        while await _status_of_one_more(box.client) != 200:
            await asyncio.sleep(0.05)


async def test_a_follower_whose_key_is_revoked_is_let_go(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "LOOK_EVERY_S", 0.05)
    file = KeyFile(tmp_path)
    key, other = file.add("page"), file.add("other")
    assert other
    async with tracked(folder=tmp_path) as box, following(box.client, Authorization=f"Bearer {key}") as follower:
        assert (await follower.next()).kind == "snapshot"
        file.revoke("page")
        closed = await follower.until("closed")
        assert closed.data["code"] == "unauthorized"
        with pytest.raises(EOFError):
            await follower.next()


async def test_a_revoked_key_is_noticed_while_event_follows_event(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "LOOK_EVERY_S", 0.2)
    file = KeyFile(tmp_path)
    key, other = file.add("page"), file.add("other")

    async def turn_the_volume(box: Tracked) -> None:
        for level in itertools.cycle((0.25, 0.5)):
            async with box.client.post(
                "/volume", json={"volume_level": level}, headers={"Authorization": f"Bearer {other}"}
            ) as answer:
                assert answer.status == 200
            await asyncio.sleep(0.02)

    async with tracked(folder=tmp_path) as box, following(box.client, Authorization=f"Bearer {key}") as follower:
        turning = asyncio.create_task(turn_the_volume(box))
        await follower.until("volume_changed")
        file.revoke("page")
        async with asyncio.timeout(5):
            await follower.until("closed")
        assert not turning.done()
        turning.cancel()


async def test_what_happens_together_comes_together() -> None:
    """The events come in one piece, so that a page changes once."""
    bus = EventBus()
    async with (
        served_by(ScriptedTracker(), ScriptedStage(), FakePlayers(), bus=bus) as (client, _port),
        client.get("/events") as response,
        asyncio.timeout(5),
    ):
        piece, _ = await response.content.readchunk()
        assert b"event: snapshot" in piece
        for level in (0.25, 0.5):
            bus.publish(EventKind.VOLUME_CHANGED, level=level, muted=False)
        piece, _ = await response.content.readchunk()
        assert piece.count(b"event: volume_changed") == 2


async def test_all_get_the_same_message_which_is_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[object] = []

    def make(data: dict[str, Any]) -> object:
        made.append(data)
        return storable(data)

    monkeypatch.setattr(events, "storable", make)
    bus = EventBus()
    async with (
        served_by(ScriptedTracker(), ScriptedStage(), FakePlayers(), bus=bus) as (client, _port),
        following(client) as one,
        following(client) as other,
    ):
        assert (await one.next()).kind == (await other.next()).kind == "snapshot"
        for _ in range(events.MADE_LIMIT + 1):
            bus.publish(EventKind.VOLUME_CHANGED, level=0.5, muted=False)
            assert await one.next() == await other.next()
    assert len(made) == events.MADE_LIMIT + 1


@asynccontextmanager
async def not_reading(bus: EventBus, port: int) -> AsyncIterator[asyncio.StreamReader]:
    """A client that has stopped to read while more happens than the kernel keeps for it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
    writer.write(b"GET /events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
    await reader.readuntil(b"event: snapshot")
    for _ in range(200):
        bus.publish(EventKind.SESSION_STARTED, title="x" * 100_000)
        await asyncio.sleep(0)
    yield reader
    writer.close()


async def test_a_slow_reader_is_told_and_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bus_module, "QUEUE_LIMIT", 10)
    bus = EventBus()
    async with (
        served_by(ScriptedTracker(), ScriptedStage(), FakePlayers(), bus=bus) as (_client, port),
        not_reading(bus, port) as reader,
        asyncio.timeout(5),
    ):
        rest = b""
        while not rest.endswith(END):
            rest = rest[-100:] + await reader.read(1 << 20)
    assert b"event: gap" in rest


async def test_who_reads_nothing_at_all_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client is cut off even where the kernel does not do it; its place is free for others."""
    monkeypatch.setattr("aiohttp_sse._TCP_USER_TIMEOUT", None)
    monkeypatch.setattr(events, "CLIENTS_LIMIT", 1)
    monkeypatch.setattr(events, "SEND_TIMEOUT_S", 0.2)
    bus = EventBus()
    async with (
        served_by(ScriptedTracker(), ScriptedStage(), FakePlayers(), bus=bus) as (client, port),
        not_reading(bus, port) as reader,
        asyncio.timeout(5),
    ):
        while await _status_of_one_more(client) != 200:
            await asyncio.sleep(0.05)
        last = rest = b""
        with suppress(ConnectionResetError):
            while rest := await reader.read(1 << 20):
                last = rest
    assert not last.endswith(END)


async def test_the_agent_stops_while_pages_are_open() -> None:
    async with AsyncExitStack() as pages, asyncio.timeout(5), tracked() as box:
        client = await pages.enter_async_context(ClientSession(f"http://{box.host}:{box.port}"))
        follower = await pages.enter_async_context(following(client))
        assert (await follower.next()).kind == "snapshot"


async def _status_of_one_more(client: ClientSession) -> int:
    async with client.get("/events") as response:
        return response.status
