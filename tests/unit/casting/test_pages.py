"""Pages as streams that are kept, renewed, and follow one another: on players and a stage that are scripted."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from agent.casting.limits import Limits
from agent.casting.parts import SessionParts
from agent.casting.playlist import Playlist
from agent.casting.runner import KEPT_LOOK_S
from agent.casting.tracker import StreamTracker
from agent.errors import MediaError, PlayerTimeoutError
from agent.media.redaction import redact
from agent.page_options import PageOptions, PageTurn
from agent.player.base import Media
from agent.types import ErrorCode, Failure, PlayerState, ShownAs, StartRequest
from tests.support.fakes import FakePlayer, FakePlayers, FakeStage
from tests.support.virtual_time import in_virtual_time

TURN_S = 20.0


def page(host: str = "page", *, then: tuple[str, ...] = (), interrupt: bool = False) -> StartRequest:
    turns = tuple(PageTurn(f"http://{each}/", TURN_S) for each in then)
    options = PageOptions(seconds=TURN_S, then=turns)
    return StartRequest(url=f"http://{host}/", shown_as=ShownAs.PAGE, page=options, interrupt=interrupt)


class Box:
    def __init__(self) -> None:
        self.players = FakePlayers()
        self.stage = FakeStage(self.players)
        limits = Limits(start_timeout=10.0, stall_timeout=5.0)
        self.tracker = StreamTracker(SessionParts(self.players, self.stage, redact), limits=limits)

    async def show(self, request: StartRequest) -> FakePlayer:
        assert await self.tracker.first_frame(self.tracker.start(request), 10.0)
        return self.seen

    @property
    def seen(self) -> FakePlayer:
        """The player whose window is on top."""
        player = self.players.drawing_into(self.stage.stack[-1].xid)
        assert player is not None
        return player

    async def until(self, condition: Callable[[], object], within_s: float = 30.0) -> None:
        async with asyncio.timeout(within_s):
            while not condition():
                assert self.stage.stack, "the screen is never black"
                await asyncio.sleep(0.01)


def scene(story: Callable[[Box], Awaitable[None]]) -> Callable[[], None]:
    """A test on a box, at whose end nothing is left of it."""

    @in_virtual_time
    async def told() -> None:
        box = Box()
        await story(box)
        await box.tracker.close()
        assert not box.stage.windows
        assert not box.players.alive
        assert not box.players.device.was_shared

    told.__name__, told.__doc__ = story.__name__, story.__doc__
    return told


@scene
async def test_a_page_that_is_interrupted_is_kept(box: Box) -> None:
    """It is back at once, with its sound, and was not loaded again."""
    first = await box.show(page())
    over = await box.show(StartRequest(url="http://film/", interrupt=True))
    await box.until(lambda: over.sound)
    assert (first.alive, first.sound) == (True, False)
    await box.tracker.stop()
    await box.until(lambda: box.seen is first and first.sound)
    assert len(box.players.players) == 2
    stream = box.tracker.snapshot().stream
    assert stream is not None
    assert stream.session_state == "active"


@scene
async def test_a_page_is_kept_while_there_is_memory(box: Box) -> None:
    """It is loaded again then."""
    first = await box.show(page())
    await box.show(StartRequest(url="http://film/", interrupt=True))
    box.players.roomy = False
    await box.until(lambda: not first.alive, KEPT_LOOK_S * 2)
    await box.tracker.stop()
    await box.until(lambda: box.seen.url == "http://page/" and box.seen is not first)


@scene
async def test_a_page_that_dies_while_it_waits_is_loaded_again(box: Box) -> None:
    first = await box.show(page())
    await box.show(StartRequest(url="http://film/", interrupt=True))
    first.crash()
    await asyncio.sleep(1.0)
    await box.tracker.stop()
    await box.until(lambda: box.seen.url == "http://page/" and box.seen is not first)


@scene
async def test_an_old_page_goes_when_the_new_one_has_painted(box: Box) -> None:
    """It is the same session, which plays all the time, and is heard."""
    old = await box.show(page())
    await box.until(lambda: box.tracker.snapshot().stream.state is PlayerState.PLAYING and old.sound)  # type: ignore[union-attr]
    old.is_outdated.set()
    states = set()

    def renewed() -> bool:
        stream = box.tracker.snapshot().stream
        assert stream is not None
        states.add(stream.state)
        return box.seen is not old and not old.alive and box.seen.sound

    await box.until(renewed)
    assert (states, len(box.stage.windows)) == ({PlayerState.PLAYING}, 1)


@scene
async def test_a_page_is_reloaded_when_asked(box: Box) -> None:
    """One of several keeps its turn."""
    old = await box.show(page(then=("other-page",)))
    box.tracker.reload()
    await box.until(lambda: box.seen is not old and not old.alive, TURN_S / 2)
    assert box.seen.url == old.url


@scene
async def test_a_page_that_is_muted_while_the_next_one_is_loaded_stays_silent(box: Box) -> None:
    """The next one was told how it was before."""
    old = await box.show(page())
    await box.until(lambda: old.sound)
    old.is_outdated.set()
    await box.until(lambda: len(box.players.players) == 2)
    new = box.players.players[1]
    told: list[tuple[bool, bool]] = []

    async def set_volume(volume: float, muted: bool) -> None:
        told.append((muted, new.sound))

    new.set_volume = set_volume  # type: ignore[method-assign]
    await box.tracker.set_volume(None, True)
    assert (box.seen is old, told) == (True, [])
    await box.until(lambda: box.seen is new and new.sound)
    assert told == [(True, False)]


@scene
async def test_an_old_page_stays_when_the_new_one_cannot_be_shown(box: Box) -> None:
    old = await box.show(page())
    box.players.broken = True
    old.is_outdated.set()
    await asyncio.sleep(60.0)
    assert box.seen is old
    assert old.alive


@scene
async def test_where_memory_is_short_there_is_one_page_at_a_time(box: Box) -> None:
    """The last picture of the old one stays meanwhile, also of one that is only renewed."""
    box.players.roomy = False
    old = await box.show(page())
    new = await box.show(page("other-page"))
    assert not old.alive
    new.is_outdated.set()
    await box.until(lambda: box.seen is not new and not new.alive and box.seen.alive)
    assert [player.url for player in box.players.alive] == ["http://other-page/"]


@scene
async def test_a_page_that_fails_brings_back_the_one_that_made_room(box: Box) -> None:
    box.players.roomy = False
    await box.show(page())
    box.tracker.start(page("broken"))
    await box.until(lambda: (last := box.tracker.snapshot().last) is not None and last.reason == "failed")
    await box.until(lambda: box.seen.alive and box.seen.url == "http://page/")


@scene
async def test_pages_follow_one_another(box: Box) -> None:
    """Each for its time; one that cannot be shown is left out, and the first one comes after the last."""
    await box.show(page(then=("broken", "other-page")))
    shown: list[str] = []

    def look() -> bool:
        if not shown or shown[-1] != box.seen.url:
            shown.append(box.seen.url)
        return len(shown) == 4

    await box.until(look, 5 * TURN_S)
    assert shown == ["http://page/", "http://other-page/"] * 2
    assert len(box.players.alive) <= 2


@scene
async def test_views_of_one_application_follow_one_another_without_a_new_player(box: Box) -> None:
    """Also where memory is short; a page of elsewhere takes another player."""
    box.players.roomy = False
    first = await box.show(page("home/a", then=("home/b", "other-page")))
    await box.until(lambda: first.url == "http://home/b/", TURN_S + 1)
    assert (box.seen, len(box.players.players)) == (first, 1)
    await box.until(lambda: box.seen.url == "http://other-page/", TURN_S + 5)
    await box.until(lambda: box.seen.url == "http://home/a/", TURN_S + 5)
    assert not first.alive


@scene
async def test_a_view_is_loaded_anew_where_it_cannot_be_gone_to(box: Box) -> None:
    """The player does not answer, or is old; the page on the screen stays until the next one has painted."""
    first = await box.show(page("home/a", then=("home/b",)))

    async def hangs(media: Media) -> bool:
        raise PlayerTimeoutError("scripted")

    first.go_to = hangs  # type: ignore[method-assign]
    await box.until(lambda: box.seen is not first and not first.alive, TURN_S + 5)
    assert box.seen.url == "http://home/b/"


@scene
async def test_a_page_whose_log_in_is_refused_is_not_tried_again(box: Box) -> None:
    """It is left out of the rounds that follow, whether it is the first page of all or another one."""
    await box.show(page("logged-out", then=("page", "logged-out", "other-page")))
    await asyncio.sleep(5 * TURN_S)
    assert [player.url for player in box.players.players].count("http://logged-out/") == 2
    assert box.seen.url in ("http://page/", "http://other-page/")


@scene
async def test_a_page_that_is_renewed_ends_when_its_log_in_is_refused(box: Box) -> None:
    """The page on the screen would be logged out soon, and each renewal would try again."""
    old = await box.show(page())

    async def refused(*_: object, **__: object) -> FakePlayer:
        raise MediaError(ErrorCode.PAGE_LOGIN, "scripted")

    box.players.take = refused  # type: ignore[method-assign]
    old.is_outdated.set()
    await box.until(lambda: box.tracker.snapshot().last is not None)
    last = box.tracker.snapshot().last
    assert last is not None
    assert last.error is not None
    assert last.error.code is ErrorCode.PAGE_LOGIN


@scene
async def test_a_page_that_never_paints_says_why(box: Box) -> None:
    """Its player knows whether its server has answered."""
    await box.show(page())
    blank = Failure(ErrorCode.MEDIA_DECODE, "It is blank.")
    box.tracker.start(page("never"))
    await box.until(lambda: len(box.players.players) == 2)
    box.players.players[1].silence = blank
    await box.until(lambda: box.tracker.snapshot().last)
    last = box.tracker.snapshot().last
    assert last is not None
    assert last.error == blank


@scene
async def test_a_page_that_stands_still_says_why(box: Box) -> None:
    """The code is that of any stream that does."""
    (await box.show(page("stalls"))).silence = Failure(ErrorCode.MEDIA_NETWORK, "Its server is away.")
    await box.until(lambda: (stream := box.tracker.snapshot().stream) and stream.error)
    stream = box.tracker.snapshot().stream
    assert stream is not None
    assert stream.error == Failure(ErrorCode.MEDIA_STALLED, "Its server is away.")


@scene
async def test_pages_in_turn_do_not_go_on_unseen(box: Box) -> None:
    """Each turn would start a browser that nobody looks at."""
    first = await box.show(page(then=("other-page",)))
    await box.show(StartRequest(url="http://film/", interrupt=True))
    await asyncio.sleep(3 * TURN_S)
    assert (first.alive, len(box.players.players)) == (False, 2)
    await box.tracker.stop()
    await box.until(lambda: box.seen.url == "http://page/")


@scene
async def test_a_rotation_begins_with_a_page_that_can_be_shown(box: Box) -> None:
    assert (await box.show(page("broken", then=("page",)))).url == "http://page/"


@pytest.mark.parametrize("entry", [0, 2, 7])
def test_a_rotation_goes_on_where_it_was(entry: int) -> None:
    pages = Playlist("a", (("a", 1.0), ("b", 2.0), ("c", 3.0)))
    pages.begin_at(entry)
    assert pages.entry == entry % 3
    assert pages.skip()
    assert pages.skip()
    assert not pages.skip(), "all have failed"
    pages.shown()
    assert pages.has_next
