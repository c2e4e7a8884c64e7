"""A stop whose last picture stays for the start that is about to come."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from agent.casting.limits import Limits
from agent.casting.parts import SessionParts
from agent.casting.tracker import StreamTracker
from agent.media.redaction import redact
from agent.types import StartRequest
from tests.support.fakes import FakePlayers, FakeStage
from tests.support.virtual_time import VirtualTimeLoop

FILM = StartRequest(url="http://film/")
STAYS_S = 0.6


class Box:
    def __init__(self) -> None:
        self.players = FakePlayers()
        self.stage = FakeStage(self.players)
        limits = Limits(start_timeout=10.0, stall_timeout=5.0)
        self.tracker = StreamTracker(SessionParts(self.players, self.stage, redact), limits=limits)

    async def show(self, request: StartRequest = FILM) -> None:
        assert await self.tracker.first_frame(self.tracker.start(request), 10.0)

    async def stop(self, *, stays_s: float = STAYS_S) -> None:
        """Stop it. Its player is gone, and nothing is on any more."""
        (ended,) = await self.tracker.stop(picture_stays_s=stays_s)
        assert ended.reason == "stopped"
        assert self.tracker.snapshot().stream is None

    @property
    def is_black(self) -> bool:
        return not self.stage.stack


@pytest.fixture
def box() -> Iterator[tuple[VirtualTimeLoop, Box]]:
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:

        async def make() -> Box:
            return Box()

        made = runner.run(make())
        loop = runner.get_loop()
        assert isinstance(loop, VirtualTimeLoop)
        yield loop, made
        runner.run(made.tracker.close())
        assert not made.stage.windows


def test_the_picture_goes_when_nothing_comes(box: tuple[VirtualTimeLoop, Box]) -> None:
    loop, of = box

    async def scene() -> None:
        await of.show()
        await of.stop()
        await asyncio.sleep(STAYS_S - 0.1)
        assert not of.is_black
        await asyncio.sleep(0.2)
        assert of.is_black

    loop.run_until_complete(scene())


@pytest.mark.parametrize("stays_s", [0.3, 0.6])
def test_a_player_that_ends_slowly_takes_nothing_of_that_time(box: tuple[VirtualTimeLoop, Box], stays_s: float) -> None:
    """Not even one that takes longer to end than the picture stays."""
    loop, of = box

    async def scene() -> None:
        await of.show(StartRequest(url="http://tough/"))
        stopping = asyncio.ensure_future(of.stop(stays_s=stays_s))
        while not stopping.done():
            assert not of.is_black
            await asyncio.sleep(0.01)
        await asyncio.sleep(stays_s - 0.1)
        assert not of.is_black
        await asyncio.sleep(0.2)
        assert of.is_black

    loop.run_until_complete(scene())


def test_it_may_be_kept_for_another_while(box: tuple[VirtualTimeLoop, Box]) -> None:
    """As long as it is there: one that has gone does not come back."""
    loop, of = box

    async def scene() -> None:
        await of.show()
        await of.stop()
        await asyncio.sleep(STAYS_S - 0.1)
        of.tracker.keep_picture(STAYS_S)
        await asyncio.sleep(STAYS_S - 0.1)
        assert not of.is_black
        of.tracker.keep_picture(0.1)
        await asyncio.sleep(0.2)
        assert of.is_black
        of.tracker.keep_picture(STAYS_S)
        await of.show()
        await of.tracker.stop()
        assert of.is_black

    loop.run_until_complete(scene())


def test_a_start_that_comes_in_time_takes_the_place_of_the_picture(box: tuple[VirtualTimeLoop, Box]) -> None:
    """However long it takes to its own first frame, nothing is black in between."""
    loop, of = box

    async def scene() -> None:
        await of.show()
        await of.stop()
        showing = asyncio.ensure_future(of.show(StartRequest(url="http://slow/")))
        while not showing.done():
            assert not of.is_black
            await asyncio.sleep(0.01)
        assert len(of.stage.stack) == 1
        assert of.tracker.black_s == 0

    loop.run_until_complete(scene())


def test_a_start_that_fails_takes_the_picture_with_it(box: tuple[VirtualTimeLoop, Box]) -> None:
    loop, of = box

    async def scene() -> None:
        await of.show()
        await of.stop()
        of.tracker.start(StartRequest(url="http://late-broken/"))
        await asyncio.sleep(2.0)
        assert not of.is_black
        while of.tracker.snapshot().stream is not None:
            await asyncio.sleep(0.05)
        await asyncio.sleep(0.1)
        assert of.is_black

    loop.run_until_complete(scene())


def test_a_plain_stop_leaves_nothing(box: tuple[VirtualTimeLoop, Box]) -> None:
    """A stop that comes while the picture of another stays, and ends what is being prepared, leaves nothing either."""
    loop, of = box

    async def scene() -> None:
        await of.show()
        await of.stop()
        of.tracker.start(StartRequest(url="http://slow/"))
        await of.tracker.stop()
        assert of.is_black
        await of.show()
        await of.tracker.stop()
        assert of.is_black
        await of.show()
        await of.stop()
        assert not of.is_black
        await of.tracker.stop()
        assert of.is_black

    loop.run_until_complete(scene())
