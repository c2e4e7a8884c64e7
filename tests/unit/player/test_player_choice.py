"""The engine that plays an address after another one could not."""

from __future__ import annotations

import pytest

from agent.errors import AgentError, MediaError, PlayerUnavailableError
from agent.player.fallback import EngineChoice
from agent.player.reasons import nothing_shown, web_page
from agent.types import ErrorCode, Failure
from tests.support.fakes import FakePlayers

URL = "http://nas.local/picture.webp"
NO_DECODER = MediaError(ErrorCode.MEDIA_DECODE, "No decoder for WebP.")
NO_MEDIA = MediaError(ErrorCode.MEDIA_UNSUPPORTED, "This is no media.")
NO_NETWORK = MediaError(ErrorCode.MEDIA_NETWORK, "nas.local refused the connection.")


@pytest.fixture
def players() -> FakePlayers:
    players = FakePlayers()
    players.other_engines = {"other": ""}
    return players


async def engine_of(choice: EngineChoice, url: str = URL) -> str:
    """The engine of the player that it takes."""
    return (await choice.take(url)).engine


async def test_another_engine_tries_what_the_first_cannot_play(players: FakePlayers) -> None:
    """The other engine plays what it has shown from then on; another address begins with the table's engine."""
    choice = EngineChoice(players)
    assert await engine_of(choice) == "fake"
    assert choice.failed(URL, NO_DECODER) is None
    assert await engine_of(choice) == "other"
    choice.shown(URL, "other")
    assert choice.failed(URL, NO_NETWORK) is NO_NETWORK
    assert await engine_of(choice) == "other"
    assert choice.failed(URL, NO_MEDIA) is NO_MEDIA, "what has played once is no other kind of media now"
    assert await engine_of(choice) == "other"
    assert await engine_of(choice, "http://nas.local/film.mp4") == "fake"


async def test_an_engine_that_knows_no_reason_adds_nothing(players: FakePlayers) -> None:
    """The first one knows that it is a web page; the other one found nothing in it."""
    choice, page = EngineChoice(players), MediaError(ErrorCode.MEDIA_UNSUPPORTED, web_page(URL).message)
    await choice.take(URL)
    assert choice.failed(URL, page) is None
    await choice.take(URL)
    error = choice.failed(URL, MediaError(ErrorCode.MEDIA_UNSUPPORTED, nothing_shown(URL).message))
    assert str(error) == str(page)


async def test_another_engine_goes_on_where_the_first_comes_no_further(players: FakePlayers) -> None:
    """The other engine tries once: if it cannot pass the place either, that is the end. A stream that broke off ends
    there for all of them."""
    missing = MediaError(ErrorCode.MEDIA_NOT_FOUND, "A piece of the recording is missing.")
    choice = EngineChoice(players)
    await choice.take(URL)
    choice.shown(URL, "fake")
    assert not choice.comes_no_further(URL, NO_NETWORK)
    assert choice.comes_no_further(URL, missing)
    assert await engine_of(choice) == "other"
    choice.shown(URL, "other")
    assert not choice.comes_no_further(URL, missing)
    players.other_engines = {"other": "Install it."}
    assert not EngineChoice(players).comes_no_further(URL, missing)


@pytest.mark.parametrize("error", [NO_NETWORK, PlayerUnavailableError("The player process died.")])
async def test_what_is_not_the_engine_s_fault_is_not_tried_with_another(
    players: FakePlayers, error: AgentError
) -> None:
    """A source that cannot be reached cannot be reached by anybody."""
    choice = EngineChoice(players)
    await choice.take(URL)
    assert choice.failed(URL, error) is error
    assert await engine_of(choice) == "fake"


@pytest.mark.parametrize(
    ("second", "message"),
    [
        (NO_MEDIA, "No decoder for WebP. other: This is no media."),
        (NO_NETWORK, "No decoder for WebP. other: nas.local refused the connection."),
        (NO_DECODER, "No decoder for WebP."),
    ],
)
async def test_when_both_fail_both_are_heard(players: FakePlayers, second: AgentError, message: str) -> None:
    """The code is that of the first. What both say is said once. The next attempt begins with the first again."""
    choice = EngineChoice(players)
    await choice.take(URL)
    assert choice.failed(URL, NO_DECODER) is None
    await choice.take(URL)
    error = choice.failed(URL, second)
    assert error is not None
    assert error.failure == Failure(ErrorCode.MEDIA_DECODE, message)
    assert await engine_of(choice) == "fake"


async def test_a_wrong_password_counts_alone(players: FakePlayers) -> None:
    """An earlier failure of another engine says nothing about the password, and no other engine tries the password
    again."""
    choice = EngineChoice(players)
    await choice.take(URL)
    assert choice.failed(URL, NO_MEDIA) is None
    await choice.take(URL)
    wrong = MediaError(ErrorCode.MEDIA_UNAUTHORIZED, "nas.local answered 401.")
    assert choice.failed(URL, wrong) is wrong
    assert await engine_of(choice) == "fake"


async def test_another_engine_that_cannot_be_started_is_heard(players: FakePlayers) -> None:
    """It may be missing, or break the moment that it is wanted."""
    choice = EngineChoice(players)
    await choice.take(URL)
    players.other_engines = {"other": "other is not installed (apt install other)."}
    error = choice.failed(URL, NO_DECODER)
    assert str(error) == "No decoder for WebP. other might play it. other is not installed (apt install other)."
    players.other_engines = {"other": ""}
    await choice.take(URL)
    assert choice.failed(URL, NO_DECODER) is None
    players.broken = True
    with pytest.raises(PlayerUnavailableError) as broken:
        await choice.take(URL)
    assert str(choice.failed(URL, broken.value)) == "No decoder for WebP. other: scripted: no player can be started"
