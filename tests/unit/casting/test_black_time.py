"""The definition of black time: a tracker whose screen loses its picture while one is wanted."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from agent.casting.handover import RETURN_TIMEOUT_S
from agent.casting.limits import Limits
from agent.casting.parts import SessionParts
from agent.casting.tracker import StreamTracker
from agent.types import StartRequest
from tests.support.fakes import SCRIPTS, FakePlayers, FakeStage
from tests.support.virtual_time import VirtualTimeLoop

SLOW_S = SCRIPTS["slow"].pixel_after or 0.0
A_MOMENT_S = 0.2
"""The time that players, windows and looks at both take together."""

Scene = Callable[[StreamTracker, FakeStage, FakePlayers], Awaitable[None]]


def black_s(scene: Scene) -> float:
    """The seconds of black that a tracker counts when this happens."""

    async def run() -> float:
        players = FakePlayers()
        stage = FakeStage(players)
        tracker = StreamTracker(
            SessionParts(players, stage, str), limits=Limits(start_timeout=30.0, stall_timeout=5.0), seed=1
        )
        try:
            await scene(tracker, stage, players)
            return tracker.black_s
        finally:
            await tracker.close()

    loop = VirtualTimeLoop()
    try:
        return loop.run_until_complete(run())
    finally:
        loop.close()


async def shown(tracker: StreamTracker, host: str, *, interrupt: bool = False) -> None:
    session = tracker.start(StartRequest(url=f"http://{host}/film.mp4", interrupt=interrupt))
    assert await tracker.first_frame(session, 60.0) is not None


async def switches(tracker: StreamTracker, _stage: FakeStage, _players: FakePlayers) -> None:
    """A wait for the first picture, one stream in place of another, and an interruption."""
    await shown(tracker, "slow")
    await shown(tracker, "film")
    await shown(tracker, "film", interrupt=True)
    await tracker.stop()
    await asyncio.sleep(SLOW_S)
    await tracker.stop(everything=True)
    await asyncio.sleep(60.0)
    await shown(tracker, "slow")


async def reconnects(tracker: StreamTracker, _stage: FakeStage, _players: FakePlayers) -> None:
    """The last picture stays for as long as it takes."""
    await shown(tracker, "fragile")
    await asyncio.sleep(60.0)


async def sounds(tracker: StreamTracker, _stage: FakeStage, _players: FakePlayers) -> None:
    """A sound over a film has no picture, and none is missed."""
    await shown(tracker, "film")
    await shown(tracker, "radio", interrupt=True)
    await asyncio.sleep(60.0)


@pytest.mark.parametrize("scene", [switches, reconnects, sounds])
def test_none(scene: Scene) -> None:
    assert black_s(scene) == 0


def test_what_comes_back_too_late() -> None:
    """The last picture of what has ended stays for a while only."""

    async def scene(tracker: StreamTracker, _stage: FakeStage, players: FakePlayers) -> None:
        await shown(tracker, "film")
        await shown(tracker, "film", interrupt=True)
        players.take_s = RETURN_TIMEOUT_S + 3.0
        await tracker.stop()
        await asyncio.sleep(60.0)

    assert black_s(scene) == pytest.approx(3.0, abs=A_MOMENT_S)


def test_what_is_not_ready_when_a_film_ends() -> None:
    async def scene(tracker: StreamTracker, _stage: FakeStage, _players: FakePlayers) -> None:
        await shown(tracker, "short")
        await shown(tracker, "slow")

    ends_after = SCRIPTS["short"].ends_after or 0.0
    assert black_s(scene) == pytest.approx(SLOW_S - ends_after, abs=A_MOMENT_S)


def test_a_display_that_is_gone_and_what_is_given_up() -> None:
    """It is black until the picture is back, and no longer than anything is wanted."""

    async def scene(tracker: StreamTracker, stage: FakeStage, _players: FakePlayers) -> None:
        await shown(tracker, "film")
        lost_at = asyncio.get_running_loop().time()
        stage.lose_display()
        tracker.display_changed()
        await asyncio.sleep(10.0)
        stage.regain_display()
        while not stage.has_picture:
            await asyncio.sleep(0.1)
        assert tracker.black_s == pytest.approx(asyncio.get_running_loop().time() - lost_at, abs=A_MOMENT_S)
        stage.lose_display()
        tracker.display_changed()
        before_s = tracker.black_s
        await asyncio.sleep(4.0)
        await tracker.stop()
        await asyncio.sleep(60.0)
        assert tracker.black_s - before_s == pytest.approx(4.0, abs=A_MOMENT_S)

    assert black_s(scene) > 14.0
