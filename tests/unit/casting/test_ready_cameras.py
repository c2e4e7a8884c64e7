"""A session of a camera that is kept ready: it never has to do with less than one of the camera itself."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from structlog.testing import capture_logs

from agent.casting.limits import Limits
from agent.casting.parts import SessionParts
from agent.casting.tracker import StreamTracker
from agent.media.redaction import redact
from agent.raw_picture import RawPicture
from agent.types import StartRequest
from tests.support.fakes import FakePlayers, FakeStage
from tests.support.virtual_time import VirtualTimeLoop

CAMERA = "http://film/itself"
STILL_S = 0.02


class OneCamera:
    """Ready at an address of this `host` until it has failed."""

    def __init__(self, host: str) -> None:
        self.host = host
        self.failures: list[str] = []
        self.picture: RawPicture | None = None
        self.still_s = STILL_S
        self.asked: list[tuple[str, tuple[int, int]]] = []
        """For a picture."""

    def address(self, url: str, *, at_most: int | None = None) -> str | None:
        return f"http://{self.host}/ready" if url == CAMERA and not self.failures else None

    async def still(self, address: str, size: tuple[int, int]) -> RawPicture | None:
        self.asked.append((address, size))
        await asyncio.sleep(self.still_s)
        return self.picture

    def failed(self, url: str) -> None:
        self.failures.append(url)


def run(work: Callable[[], Awaitable[None]]) -> None:
    async def whole() -> None:
        await work()

    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        runner.run(whole())


def make(camera: OneCamera) -> tuple[StreamTracker, FakePlayers, FakeStage]:
    players = FakePlayers()
    stage = FakeStage(players)
    parts = SessionParts(players, stage, redact, cameras=camera)
    return StreamTracker(parts, limits=Limits(start_timeout=10.0, stall_timeout=5.0)), players, stage


def test_it_is_played_from_where_it_is_ready() -> None:
    async def work() -> None:
        camera = OneCamera("film")
        tracker, players, _ = make(camera)
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
        tracker, players, _ = make(camera)
        tracker.start(StartRequest(url=CAMERA))
        await asyncio.sleep(after_s + 0.5)
        assert camera.failures == [CAMERA]
        assert [player.url for player in players.players if player.url] == [f"http://{host}/ready", CAMERA]
        stream = tracker.snapshot().stream
        assert stream is not None
        assert stream.state == "playing"
        await tracker.close()

    run(work)


PICTURE = RawPicture(1, 1, b"abc_")


def pictures(stage: FakeStage) -> list[RawPicture | None]:
    """What was drawn without a player into the windows on the screen, from the bottom up."""
    return [window.painted for window in stage.stack]


@pytest.mark.parametrize("host", ["film", "late-broken"])
def test_its_last_key_frame_is_seen_until_its_player_shows_pictures(host: str) -> None:
    """Over what is on, which goes on until then, and is back if the player shows none."""

    async def work() -> None:
        camera = OneCamera(host)
        camera.picture = PICTURE
        tracker, players, stage = make(camera)
        tracker.start(StartRequest(url="http://film/other"))
        await asyncio.sleep(1.0)
        tracker.start(StartRequest(url=CAMERA, interrupt=True))
        await asyncio.sleep(STILL_S + 0.03)
        assert pictures(stage) == [None, PICTURE]
        assert players.players[0].sound
        assert camera.asked == [(f"http://{host}/ready", (640, 360))]
        await asyncio.sleep(1.0 if host == "film" else 7.0)
        assert PICTURE not in pictures(stage)
        assert stage.stack
        await tracker.close()
        assert not stage.windows

    run(work)


@pytest.mark.parametrize("after_s", [0.0, 0.01, 0.02, 0.025, 0.03, 0.05])
def test_a_start_that_is_stopped_leaves_no_picture(after_s: float) -> None:
    async def work() -> None:
        camera = OneCamera("slow")
        camera.picture = PICTURE
        tracker, _, stage = make(camera)
        tracker.start(StartRequest(url=CAMERA))
        await asyncio.sleep(after_s)
        await tracker.stop()
        await asyncio.sleep(1.0)
        assert not stage.windows
        await tracker.close()

    run(work)


def test_a_late_picture_is_not_seen() -> None:
    """The player was faster."""

    async def work() -> None:
        camera = OneCamera("film")
        camera.picture, camera.still_s = PICTURE, 0.2
        tracker, _, stage = make(camera)
        seen: list[RawPicture | None] = []
        session = tracker.start(StartRequest(url=CAMERA))
        assert await tracker.first_frame(session, 1.0)
        for _ in range(100):
            seen += pictures(stage)
            await asyncio.sleep(0.01)
        assert PICTURE not in seen
        await tracker.close()

    run(work)


def test_a_picture_that_cannot_be_made_is_told_and_changes_nothing() -> None:
    async def work() -> None:
        camera = OneCamera("film")
        tracker, _, stage = make(camera)

        async def broken(address: str, size: tuple[int, int]) -> RawPicture | None:
            raise RuntimeError("scripted")

        camera.still = broken  # type: ignore[method-assign]
        with capture_logs() as logs:
            session = tracker.start(StartRequest(url=CAMERA))
            assert await tracker.first_frame(session, 1.0)
            await asyncio.sleep(0.1)  # it is taken away then
        assert [line["log_level"] for line in logs if line["event"] == "still_failed"] == ["error"]
        assert len(stage.windows) == 1
        await tracker.close()

    run(work)
