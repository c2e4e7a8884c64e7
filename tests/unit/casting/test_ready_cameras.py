"""A session of a camera that is kept ready: it never has to do with less than one of the camera itself."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from agent.casting.limits import Limits
from agent.casting.parts import SessionParts
from agent.casting.tracker import StreamTracker
from agent.media.redaction import redact
from agent.types import StartRequest
from tests.support.fakes import FakePlayers, FakeStage
from tests.support.virtual_time import VirtualTimeLoop

CAMERA = "http://film/itself"


class OneCamera:
    """Ready at an address of this `host` until it has failed."""

    def __init__(self, host: str) -> None:
        self.host = host
        self.failures: list[str] = []

    def address(self, url: str, *, at_most: int | None = None) -> str | None:
        return None if self.failures else f"http://{self.host}/ready"

    def failed(self, url: str) -> None:
        self.failures.append(url)


def run(work: Callable[[], Awaitable[None]]) -> None:
    async def whole() -> None:
        await work()

    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        runner.run(whole())


def make(camera: OneCamera) -> tuple[StreamTracker, FakePlayers]:
    players = FakePlayers()
    parts = SessionParts(players, FakeStage(players), redact, cameras=camera)
    return StreamTracker(parts, limits=Limits(start_timeout=10.0, stall_timeout=5.0)), players


def test_it_is_played_from_where_it_is_ready() -> None:
    async def work() -> None:
        camera = OneCamera("film")
        tracker, players = make(camera)
        players.for_ready = "mpv"
        session = tracker.start(StartRequest(url=CAMERA))
        assert await tracker.first_frame(session, 1.0)
        assert [(player.url, player.engine) for player in players.players if player.url] == [
            ("http://film/ready", "mpv")
        ]
        stream = tracker.snapshot().stream
        assert stream is not None
        assert stream.url == CAMERA
        await tracker.close()
        assert camera.failures == []

    run(work)


@pytest.mark.parametrize(("host", "after_s"), [("broken", 0.2), ("fragile", 0.3), ("breaks", 3.0)])
def test_the_camera_itself_is_asked_at_once_when_that_fails(host: str, after_s: float) -> None:
    """Before its first picture, and after it; without the pause that a camera gets which has failed itself."""

    async def work() -> None:
        camera = OneCamera(host)
        tracker, players = make(camera)
        tracker.start(StartRequest(url=CAMERA))
        await asyncio.sleep(after_s + 0.5)
        assert camera.failures == [CAMERA]
        assert [player.url for player in players.players if player.url] == [f"http://{host}/ready", CAMERA]
        stream = tracker.snapshot().stream
        assert stream is not None
        assert stream.state == "playing"
        await tracker.close()

    run(work)
