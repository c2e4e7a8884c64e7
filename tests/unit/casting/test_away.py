"""A source that takes no connection: no player is spent on it, and it is on again as soon as it takes one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from agent.casting.limits import Limits
from agent.casting.parts import SessionParts
from agent.casting.retry import HELD_S, KNOCK_EVERY_S
from agent.casting.tracker import StreamTracker
from agent.errors import MediaError
from agent.media.doors import Knock
from agent.media.redaction import redact
from agent.types import StartRequest
from tests.support.fakes import FakePlayers, FakeStage
from tests.support.virtual_time import VirtualTimeLoop

BREAKS_AFTER_S = 3.0
START_TIMEOUT_S = 10.0


class Source:
    """Takes connections while it `is_open`."""

    def __init__(self) -> None:
        self.is_open = True
        self.knocks = 0

    def knock_at(self, _url: str) -> Knock:
        async def knock() -> bool:
            self.knocks += 1
            return self.is_open

        return knock


def run(work: Callable[[], Awaitable[None]]) -> None:
    async def whole() -> None:
        await work()

    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        runner.run(whole())


def make(source: Source) -> tuple[StreamTracker, FakePlayers]:
    players = FakePlayers()
    parts = SessionParts(players, FakeStage(players), redact, knock_at=source.knock_at)
    return StreamTracker(parts, limits=Limits(START_TIMEOUT_S, stall_timeout=5.0)), players


def tries(players: FakePlayers) -> int:
    return sum(bool(player.url) for player in players.players)


@pytest.mark.parametrize("away_s", [0.3, 5.0, HELD_S - 1.0])
def test_it_is_tried_again_as_soon_as_it_takes_a_connection(away_s: float) -> None:
    """And not before."""

    async def work() -> None:
        source = Source()
        tracker, players = make(source)
        tracker.start(StartRequest(url="http://breaks/"))
        await asyncio.sleep(BREAKS_AFTER_S - 0.2)
        source.is_open = False
        await asyncio.sleep(0.2 + away_s)
        assert tries(players) == 1
        source.is_open = True
        await asyncio.sleep(2 * KNOCK_EVERY_S)
        assert tries(players) == 2
        await tracker.close()

    run(work)


def test_it_is_tried_now_and_then_though_nobody_opens() -> None:
    """The knock may be wrong; after two minutes it comes once a second."""

    async def work() -> None:
        source = Source()
        tracker, players = make(source)
        tracker.start(StartRequest(url="http://breaks/"))
        await asyncio.sleep(BREAKS_AFTER_S - 0.2)
        source.is_open, players.broken = False, True
        await asyncio.sleep(0.2 + 8 * HELD_S + 1.0)
        stream = tracker.snapshot().stream
        assert stream is not None
        assert stream.attempt == 1 + 8 + 1
        await asyncio.sleep(2 * HELD_S)
        before = source.knocks
        await asyncio.sleep(10.0)
        assert 9 <= source.knocks - before <= 12
        await tracker.close()

    run(work)


def test_a_start_of_what_is_away_fails_in_its_time() -> None:
    """With the error of a try, and the last try late enough for a source that comes at the last moment."""

    async def work() -> None:
        source = Source()
        source.is_open = False
        tracker, players = make(source)
        session = tracker.start(StartRequest(url="http://broken/"))
        with pytest.raises(MediaError, match="scripted"):
            await tracker.first_frame(session, START_TIMEOUT_S + 2.0)
        last = tracker.snapshot().last
        assert last is not None
        assert last.reason == "failed"
        assert 2 <= tries(players) <= 4
        await tracker.close()

    run(work)
