"""`GET /snapshot`: one picture for all who ask at the same moment."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator

import pytest

from agent.events.bus import EventBus
from agent.stage import snapshots as snapshots_module
from agent.stage.base import ImageFormat
from agent.stage.snapshots import KEPT_LIMIT, Kind, Snapshots, Taken
from cast_wire.kinds import EventKind
from tests.support.api import ScriptedStage, Served, served


class Camera:
    """A camera in place of the stage's: it counts the pictures, and takes each when it is told to."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, int | None]] = []
        self.at_once = 0
        self.go = asyncio.Event()
        self.go.set()

    async def snapshot(self, image_format: ImageFormat = "png", *, width: int | None = None) -> bytes:
        self.taken.append((image_format, width))
        self.at_once += 1
        assert self.at_once == 1, "one at a time"
        try:
            await self.go.wait()
        finally:
            self.at_once -= 1
        return f"picture {len(self.taken)}".encode()


@pytest.fixture
async def api() -> AsyncIterator[Served]:
    async with served() as api:
        yield api


@pytest.fixture
def camera(monkeypatch: pytest.MonkeyPatch) -> Camera:
    camera = Camera()

    async def snapshot(_self: ScriptedStage, image_format: ImageFormat = "png", *, width: int | None = None) -> bytes:
        return await camera.snapshot(image_format, width=width)

    monkeypatch.setattr(ScriptedStage, "snapshot", snapshot)
    return camera


async def body(api: Served, query: str = "") -> bytes:
    async with api.client.get(f"/snapshot{query}") as answer:
        assert answer.status == 200
        return await answer.read()


async def test_who_asks_at_the_same_moment_shares_one_picture(api: Served, camera: Camera) -> None:
    """No caller gets a picture that was begun before the question: whoever has just changed something sees it."""
    camera.go.clear()
    first = asyncio.create_task(body(api))
    while not camera.taken:
        await asyncio.sleep(0.01)
    later = [asyncio.create_task(body(api)) for _ in range(30)]
    await asyncio.sleep(0.2)
    camera.go.set()
    assert await first == b"picture 1"
    assert set(await asyncio.gather(*later)) == {b"picture 2"}


async def test_a_hundred_pages_cost_one_picture_a_second(api: Served, camera: Camera) -> None:
    assert {await body(api, "?max_age=10&width=640&format=jpeg") for _ in range(100)} == {b"picture 1"}
    assert camera.taken == [("jpeg", 640)]
    assert await body(api, "?width=640&format=jpeg") == b"picture 2"
    assert await body(api, "?max_age=10") == b"picture 3"


async def test_no_picture_is_from_before_a_change_on_the_screen(camera: Camera) -> None:
    """Pages that ask after the change share the next picture; a change of the volume is not seen."""
    bus = EventBus()
    async with served(bus=bus) as api:
        assert await body(api, "?max_age=10") == b"picture 1"
        bus.publish(EventKind.VOLUME_CHANGED)
        assert await body(api, "?max_age=10") == b"picture 1"
        bus.publish(EventKind.FIRST_FRAME)
        assert {await body(api, "?max_age=10") for _ in range(50)} == {b"picture 2"}


async def test_a_picture_that_is_known_is_not_sent_again(api: Served, camera: Camera) -> None:
    async with api.client.get("/snapshot") as answer:
        tag = answer.headers["ETag"]
        assert answer.headers["Cache-Control"] == "private, no-cache"
    async with api.client.get("/snapshot?max_age=10", headers={"If-None-Match": tag}) as answer:
        assert (answer.status, await answer.read(), answer.headers["ETag"]) == (304, b"", tag)
    async with api.client.get("/snapshot", headers={"If-None-Match": tag}) as answer:
        assert (answer.status, await answer.read()) == (200, b"picture 2")


@pytest.mark.parametrize("query", ["width=15", "width=7681", "width=-20", "width=1e3", "width=²", "max_age=11"])
async def test_a_number_out_of_range_is_refused_by_name(api: Served, query: str) -> None:
    async with api.client.get(f"/snapshot?{query}") as answer:
        problem = await answer.json()
    assert (answer.status, problem["errors"][0]["field"]) == (422, query.partition("=")[0])
    assert "must be a whole number from" in problem["detail"]


async def test_a_failure_is_nobody_elses(api: Served, camera: Camera, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent.stage.snapshots.SNAPSHOT_TIMEOUT_S", 0.1)
    camera.go.clear()
    async with api.client.get("/snapshot") as answer:
        assert (answer.status, (await answer.json())["code"]) == (503, "player_unavailable")
    camera.go.set()
    assert await body(api) == b"picture 2"


async def test_who_waits_behind_a_failure_gets_the_next_picture(
    api: Served, camera: Camera, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent.stage.snapshots.SNAPSHOT_TIMEOUT_S", 1.0)
    camera.go.clear()

    async def failing() -> int:
        async with api.client.get("/snapshot") as answer:
            camera.go.set()
            return answer.status

    first = asyncio.create_task(failing())
    while not camera.taken:
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.5)
    assert set(await asyncio.gather(body(api), body(api))) == {b"picture 2"}
    assert await first == 503


async def test_a_picture_is_kept_no_longer_than_it_may_be_old(
    monkeypatch: pytest.MonkeyPatch, api: Served, camera: Camera
) -> None:
    monkeypatch.setattr(snapshots_module, "MAX_AGE_LIMIT_S", 0.2)
    snapshots = Snapshots(api.stage)
    first = await snapshots.take(Kind("png"), max_age_s=60)
    assert await snapshots.take(Kind("png"), max_age_s=60) is first
    async with asyncio.timeout(5):
        while await snapshots.take(Kind("png"), max_age_s=60) is first:
            await asyncio.sleep(0.05)
    assert len(camera.taken) == 2


async def test_no_more_pictures_are_in_memory_than_are_kept(api: Served, camera: Camera) -> None:
    snapshots = Snapshots(api.stage)
    began = asyncio.get_running_loop().time()
    for width in (100, 200) * KEPT_LIMIT:
        await snapshots.take(Kind("png", width), max_age_s=0)
    gc.collect()
    held = [one.content for one in gc.get_objects() if isinstance(one, Taken) and one.at >= began]
    assert set(held) == {f"picture {number}".encode() for number in (2 * KEPT_LIMIT - 1, 2 * KEPT_LIMIT)}
