"""The streams that MediaMTX really has on, and those that are stored: lost calls are made good, and an absent MediaMTX
ends nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
import structlog

from central.media.reconcile import SOONER_S
from tests.central.support.mediamtx import FakeControlApi, fake_control_api
from tests.central.support.service import Central, served
from tests.support.tools import LOOK_EVERY_S, until


@dataclass
class Pair:
    central: Central
    media: FakeControlApi

    async def look(self) -> None:
        await self.central.services.media.reconciliation.once()

    async def on(self) -> list[str]:
        """The paths that are on, as callers see it."""
        listed = await self.central.admin("GET", "/streams?source=publisher")
        return sorted(stream["path"] for stream in listed["items"])

    async def publish(self, path: str, connection: str, kind: str = "rtspSession") -> str:
        """A publisher who is let in, and who is on in MediaMTX; no hook has told yet. Its key's id."""
        key = await self.central.key()
        assert (await self.central.auth(key["key"], path, connection, protocol=kind[:4].lower())).status == 200
        self.media.put_on(path, connection, kind)
        return str(key["id"])


@pytest.fixture
async def pair(database_url: str) -> AsyncIterator[Pair]:
    """Looks only when the test says so: the first one, at start, has been waited for."""
    async with fake_control_api() as media:
        settings: dict[str, Any] = {"api_url": media.url, "public_url": "https://media.example.org"}
        settings |= {"reconcile": 3600, "grace": 0}  # what is interrupted has tests of its own
        async with served(database_url, mediamtx=settings) as central:
            await until(lambda: central.services.media.reconciliation.reachable is not None)
            yield Pair(central, media)


async def test_a_lost_ready_is_made_good(pair: Pair) -> None:
    """Also when the lease is over by now, as long as nobody else has the key."""
    await pair.publish("live/one", "c1")
    pair.central.clock.forward(60)
    await pair.look()
    assert await pair.on() == ["live/one"]


async def test_a_lost_not_ready_is_made_good(pair: Pair) -> None:
    """The stream ends, and its key is free; but nothing that began while MediaMTX was asked."""
    key_id = await pair.publish("live/one", "c1")
    assert (await pair.central.ready()).status == 200
    pair.media.paths.clear()
    await pair.look()
    assert await pair.on() == ["live/one"]
    pair.central.clock.forward(4)
    await pair.look()
    assert await pair.on() == []
    (ended,) = (await pair.central.admin("GET", "/api/v1/streams"))["items"]
    assert ended["end_reason"] == "lost"
    assert (await pair.central.admin("GET", f"/stream-keys/{key_id}"))["in_use"] is False


async def test_another_publisher_on_the_path_is_another_stream(pair: Pair) -> None:
    """Both calls in between were lost."""
    first = await pair.publish("live/one", "c1")
    await pair.central.ready()
    pair.central.clock.forward(60)
    await pair.central.admin("DELETE", f"/stream-keys/{first}")
    await pair.publish("live/one", "c2", "rtmpConn")
    await pair.look()
    streams = (await pair.central.admin("GET", "/api/v1/streams"))["items"]
    assert [stream["status"] for stream in streams] == ["active", "ended"]


async def test_a_mediamtx_that_is_away_ends_nothing(pair: Pair) -> None:
    """Health says so; publishing goes on; when it is back everything is looked at again."""
    await pair.publish("live/one", "c1")
    await pair.central.ready()
    pair.central.clock.forward(60)
    pair.media.failing = True
    await pair.look()
    health = await pair.central.anybody("GET", "/health")
    assert (health.status, health["status"], health["mediamtx"]["status"]) == (200, "degraded", "unavailable")
    assert "does not answer at mediamtx.api_url" in health["mediamtx"]["detail"]
    assert await pair.on() == ["live/one"]
    await pair.publish("live/two", "c2")
    assert (await pair.central.ready("live/two", "c2")).status == 200
    pair.media.failing = False
    await pair.look()
    health = await pair.central.anybody("GET", "/health")
    assert (health["status"], health["mediamtx"]) == ("healthy", {"status": "available", "detail": None})
    assert await pair.on() == ["live/one", "live/two"]


async def test_an_operator_is_told_that_viewers_get_no_addresses(database_url: str) -> None:
    """Without a public address `urls` is null: /health says so, and the log at start."""
    async with fake_control_api() as media:
        with structlog.testing.capture_logs() as logged:
            async with served(database_url, mediamtx={"api_url": media.url}) as central:
                assert (await central.auth((await central.key())["key"])).status == 200
                code = (await central.ready())["code"]
                assert (await central.admin("GET", f"/streams/{code}"))["urls"] is None
                detail = (await central.anybody("GET", "/health"))["mediamtx"]["detail"]
    assert detail == "Viewers get no addresses of what is published: set mediamtx.public_url."
    assert [line["hint"] for line in logged if line["event"] == "public_url_omitted"] == [detail]


async def test_a_claim_of_somebody_who_never_came_is_dropped(pair: Pair) -> None:
    """After its lease, so that lists say the truth."""
    key = await pair.central.key()
    await pair.central.auth(key["key"])
    pair.central.clock.forward(14)
    await pair.look()
    assert (await pair.central.admin("GET", f"/stream-keys/{key['id']}"))["in_use"] is False
    assert (await pair.central.ready()).status == 409


async def test_revoking_a_key_kicks_its_publisher(pair: Pair) -> None:
    """In the place where MediaMTX keeps connections of that kind; also one whose stream is not ready yet."""
    for number, (kind, place) in enumerate(
        {
            "rtspSession": "rtspsessions",
            "rtmpConn": "rtmpconns",
            "srtConn": "srtconns",
            "webRTCSession": "webrtcsessions",
        }.items()
    ):
        key_id = await pair.publish(f"live/{number}", f"c{number}", kind)
        await pair.central.ready(f"live/{number}", f"c{number}", kind)
        await pair.central.admin("DELETE", f"/stream-keys/{key_id}")
        assert pair.media.kicked[-1] == f"{place}/c{number}"
    early = await pair.publish("live/early", "early", "rtspsSession")
    await pair.central.admin("DELETE", f"/stream-keys/{early}")
    assert pair.media.kicked[-1] == "rtspssessions/early"
    assert pair.media.paths == {}


async def test_who_could_not_be_kicked_at_once_is_kicked_later(pair: Pair) -> None:
    """The revocation holds although MediaMTX was away."""
    key_id = await pair.publish("live/one", "c1")
    await pair.central.ready()
    pair.media.failing = True
    assert (await pair.central.admin("DELETE", f"/stream-keys/{key_id}")).status == 200
    assert await pair.on() == []
    pair.media.failing = False
    await pair.look()
    assert pair.media.kicked == ["rtspsessions/c1"]


async def test_stopping_a_published_stream_kicks_its_publisher(pair: Pair) -> None:
    """Its key stays good."""
    await pair.publish("live/one", "c1")
    stream = await pair.central.ready()
    stopped = await pair.central.admin("POST", f"/api/v1/streams/{stream['stream_id']}/stop")
    assert (stopped["status"], stopped["end_reason"]) == ("ended", "stopped")
    assert pair.media.kicked == ["rtspsessions/c1"]


async def test_what_mediamtx_pulls_itself_needs_no_key(pair: Pair) -> None:
    """It is on while it is there, and nobody is kicked for it."""
    pair.media.put_on("camera", "", "rtspSource")
    await pair.look()
    assert await pair.on() == ["camera"]
    pair.central.clock.forward(10)
    pair.media.paths.clear()
    await pair.look()
    assert await pair.on() == []
    assert pair.media.kicked == []


async def test_doubt_brings_the_next_look_forward(pair: Pair) -> None:
    """A publisher that is refused because of one that is gone is let in at the next try, not at the next interval."""
    key_id = await pair.publish("live/one", "c1")
    key = (await pair.central.key())["key"]
    await pair.central.ready()
    pair.media.paths.clear()
    pair.central.clock.forward(10)
    before = pair.media.lists
    assert (await pair.central.auth(key, "live/one", "c2"))["code"] == "path_in_use"
    await until(lambda: pair.media.lists > before, timeout_s=10)
    async with asyncio.timeout(10):
        while (await pair.central.auth(key, "live/one", "c2")).status != 200:
            await asyncio.sleep(LOOK_EVERY_S)
    assert (await pair.central.admin("GET", f"/stream-keys/{key_id}"))["in_use"] is False


async def test_addresses_are_built_from_the_public_one(pair: Pair) -> None:
    """HLS, WHEP and RTSP, at MediaMTX's usual ports."""
    await pair.publish("live/one", "c1")
    await pair.central.ready()
    (stream,) = (await pair.central.admin("GET", "/streams"))["items"]
    assert stream["urls"] == {
        "hls": "https://media.example.org:8888/live/one/index.m3u8",
        "webrtc": "https://media.example.org:8889/live/one/whep",
        "rtsp": "rtsp://media.example.org:8554/live/one",
    }


async def test_hundreds_of_paths_come_in_pages(pair: Pair) -> None:
    """All are looked at."""
    for number in range(510):
        pair.media.put_on(f"camera/{number}", "", "rtspSource")
    lists = pair.media.lists
    await pair.look()
    assert pair.media.lists == lists + 2
    assert (await pair.central.services.streams.count_active()) == {"publisher": 510}


async def test_others_are_left_alone_if_wanted(database_url: str) -> None:
    """`unclaimed = "leave"` kicks nobody whom central did not let in."""
    async with fake_control_api() as media:
        settings = {"api_url": media.url, "unclaimed": "leave", "reconcile": 3600}
        async with served(database_url, mediamtx=settings) as central:
            media.put_on("theirs", "c9")
            await central.services.media.reconciliation.once()
            assert (await central.ready("theirs", "c9")).status == 409
            assert media.kicked == []


async def test_who_was_let_in_is_looked_for(pair: Pair) -> None:
    """No hook tells, as with MediaMTX's official image, which has no program that could: the stream is on at once all
    the same. When it is on nobody is looked for any more."""
    key = await pair.central.key()
    assert (await pair.central.auth(key["key"])).status == 200
    pair.media.put_on("live/one", "c1", ready=False)
    lists = pair.media.lists
    await until(lambda: pair.media.lists > lists + 1)
    assert await pair.on() == []
    pair.media.put_on("live/one", "c1")
    began = asyncio.get_running_loop().time()
    while await pair.on() == []:
        await asyncio.sleep(LOOK_EVERY_S)
    assert asyncio.get_running_loop().time() - began < 2.0, "0.4 s and a look, on a busy machine"
    await until(lambda: not pair.central.services.media.publishing.expects())
    lists = pair.media.lists
    await asyncio.sleep(2 * SOONER_S)
    assert pair.media.lists <= lists + 1
    assert pair.media.kicked == []
