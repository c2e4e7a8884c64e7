"""Two engines on the way to one first picture."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from agent.casting.preparation import Preparation, Race
from agent.errors import MediaError
from agent.player.base import Media, Player
from agent.player.fallback import EngineChoice
from agent.types import ErrorCode, Quality
from tests.support.fakes import FakePlayers, FakeStage
from tests.support.virtual_time import VirtualTimeLoop

WITHIN_S = 12.0
"""The time for a start, so that the second player is asked after 3 s."""


def two_engines() -> FakePlayers:
    players = FakePlayers()
    players.other_engines = {"other": ""}
    return players


def run(work: Callable[[], Awaitable[None]]) -> None:
    """Run in virtual time."""
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        runner.run(_run(work))


async def _run(work: Callable[[], Awaitable[None]]) -> None:
    await work()


async def prepare(players: FakePlayers, host: str) -> tuple[Preparation, EngineChoice, FakeStage]:
    choice, stage, begun = EngineChoice(players), FakeStage(players), list[Player]()
    url = f"http://{host}/"
    race = Race(
        url,
        players=choice,
        stage=stage,
        media=lambda: Media(url, Quality.AUTO, 1.0, False),
        begun=begun.append,
    )
    return await race.run(within_s=WITHIN_S), choice, stage


def test_another_engine_shows_what_the_first_is_silent_on() -> None:
    """The other engine plays it from then on; neither process nor window is left of the first."""

    async def work() -> None:
        players = two_engines()
        began = asyncio.get_running_loop().time()
        ready, choice, stage = await prepare(players, "gap")
        assert asyncio.get_running_loop().time() - began < 3.5
        assert ready.player is not None
        assert (ready.player.engine, players.alive, list(stage.windows)) == ("other", [ready.player], [ready.window])
        choice.shown("http://gap/", "other")
        assert (await choice.take("http://gap/")).engine == "other"

    run(work)


def test_a_slow_source_loses_nothing_by_the_second_player() -> None:
    """The first goes on, and is the one that shows it."""

    async def work() -> None:
        players = two_engines()
        began = asyncio.get_running_loop().time()
        ready, _, stage = await prepare(players, "slow")
        assert asyncio.get_running_loop().time() - began < 4.1, "as if there had been no second"
        assert ready.player is not None
        assert (len(players.players), players.alive, ready.player.engine) == (2, [ready.player], "fake")
        assert list(stage.windows) == [ready.window]

    run(work)


@pytest.mark.parametrize(("host", "count"), [("film", 1), ("broken", 1), ("deep-gap", 2), ("never", 2)])
def test_the_second_is_asked_only_where_the_first_is_silent(host: str, count: int) -> None:
    """No second player is asked if the first one fails or shows a picture early. If neither shows anything, no player
    is left."""

    async def work() -> None:
        players = two_engines()
        ready: Preparation | None = None
        try:
            async with asyncio.timeout(WITHIN_S):
                ready, _, _ = await prepare(players, host)
        except (TimeoutError, MediaError):
            assert host != "film"
        assert len(players.players) == count
        assert len(players.alive) == (1 if ready else 0)

    run(work)


def test_what_the_second_said_is_heard_when_the_first_gives_up() -> None:
    async def work() -> None:
        players = two_engines()
        choice = EngineChoice(players)
        await choice.take("http://deep-gap/")
        assert choice.beside("http://deep-gap/") is not None
        choice.failed_beside("http://deep-gap/", "other", MediaError(ErrorCode.MEDIA_NOT_FOUND, "There is nothing."))
        assert choice.beside("http://deep-gap/") is None
        error = choice.failed("http://deep-gap/", MediaError(ErrorCode.MEDIA_UNSUPPORTED, "Nothing came."))
        assert str(error) == "Nothing came. other: There is nothing."

    run(work)


@pytest.mark.parametrize("url", ["udp://@:5000", "rtp://239.0.0.1:5000", "file:///film.mp4"])
def test_nothing_is_played_twice_at_once_but_over_http(url: str) -> None:
    """Two that listen at one port would take each other's packets."""

    async def work() -> None:
        players = two_engines()
        assert EngineChoice(players).beside(url) is None

    run(work)
