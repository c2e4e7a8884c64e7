"""Publishers as MediaMTX lets us meet them, protocol by protocol; the fake says in which version that was seen."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.central.support.fake_mediamtx import KINDS, FakeMediaMtx, fake_mediamtx
from tests.central.support.service import Answered, Central, served
from tests.support.tools import LOOK_EVERY_S, until

Pair = tuple[Central, FakeMediaMtx]


@pytest.fixture(params=[True, False], ids=["with hooks", "without hooks"])
async def pair(request: pytest.FixtureRequest, sqlite_url: str) -> AsyncIterator[Pair]:
    """A service and a MediaMTX: that of the example, and that of the official image, where no hook can run."""
    async with (
        fake_mediamtx(hooks=request.param) as media,
        served(sqlite_url, mediamtx={"api_url": media.control.url}) as central,
    ):
        await until(lambda: central.services.media.reconciliation.reachable is not None)
        media.central = central.url
        yield central, media


async def is_on(central: Central, path: str) -> Answered:
    """Its stream, as soon as that is known: at once, or at the next look."""
    async with asyncio.timeout(5):
        while True:
            for stream in (await central.admin("GET", "/streams"))["streams"]:
                if stream["path"] == path and stream["interrupted_at"] is None:
                    return await central.admin("GET", f"/streams/{stream['id']}")
            await asyncio.sleep(LOOK_EVERY_S)


async def is_away(central: Central, stream_id: str) -> None:
    async with asyncio.timeout(5):
        while (await central.admin("GET", f"/streams/{stream_id}"))["interrupted_at"] is None:
            central.clock.forward(1)  # a stream that has just begun is not looked for
            await asyncio.sleep(LOOK_EVERY_S)


@pytest.mark.parametrize("protocol", list(KINDS))
async def test_a_publisher_is_let_in_and_comes_back(pair: Pair, protocol: str) -> None:
    """However its protocol shows the key: on with its kind, away, and on again as the same stream."""
    central, media = pair
    key = (await central.key())["key_value"]
    connection = await media.publish(protocol, "live/one", key)
    assert connection is not None
    stream = await is_on(central, "live/one")
    assert stream["source_type"] == KINDS[protocol]
    await media.settle(connection)
    await media.drop(connection)
    await is_away(central, stream["id"])
    central.clock.forward(2)
    again = await media.publish(protocol, "live/one", key)
    assert again is not None
    assert (await is_on(central, "live/one"))["code"] == stream["code"]
    await media.settle(again)
    assert media.control.kicked == []


@pytest.mark.parametrize("protocol", list(KINDS))
async def test_who_shows_a_wrong_key_is_refused(pair: Pair, protocol: str) -> None:
    """And leaves nothing behind: whoever has a key gets the path at once."""
    central, media = pair
    assert await media.publish(protocol, "live/one", "wrong") is None
    assert await media.publish(protocol, "live/one", "sk_" + "x" * 43) is None
    assert await media.publish(protocol, "live/one", (await central.key())["key_value"]) is not None
    await is_on(central, "live/one")


async def test_a_publisher_that_is_gone_before_its_hook_has_told(pair: Pair) -> None:
    """The hook is ended with its connection, and the other one is started at once: there is no stream, or one that
    waits, and the publisher gets in again."""
    central, media = pair
    key = (await central.key())["key_value"]
    for _ in range(10):
        connection = await media.publish("rtsp", "live/one", key)
        assert connection is not None
        await media.drop(connection)
        central.clock.forward(11)  # without hooks the key is its own for the time of its lease
    assert await media.publish("rtsp", "live/one", key) is not None
    await is_on(central, "live/one")
    assert len((await central.admin("GET", "/streams"))["streams"]) == 1


async def test_a_publisher_that_is_gone_without_a_word_is_there_until_mediamtx_notices(pair: Pair) -> None:
    """SRT: ten seconds. Its key is in use so long, and then its stream still waits for it."""
    central, media = pair
    key = (await central.key())["key_value"]
    connection = await media.publish("srt", "live/one", key)
    assert connection is not None
    stream = await is_on(central, "live/one")
    await media.settle(connection)
    central.clock.forward(5)
    assert await media.publish("srt", "live/one", key) is None
    central.clock.forward(5)
    await media.drop(connection)
    await is_away(central, stream["id"])
    assert await media.publish("srt", "live/one", key) is not None
    assert (await is_on(central, "live/one"))["id"] == stream["id"]
