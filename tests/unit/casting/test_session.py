"""The one-way life of a session."""

from __future__ import annotations

import itertools

import pytest

from agent.casting.moves import MOVES
from agent.casting.playlist import ENTRIES_LIMIT, LISTS_IN_EACH_OTHER
from agent.casting.session import Session
from agent.errors import InvalidTransitionError
from agent.player.base import Opened
from agent.types import EndReason, ErrorCode, Failure, MediaType, PlayerState, SessionState, StartRequest
from tests.support.fakes import FakePlayer


def session(**fields: object) -> Session:
    request = StartRequest(url="http://user:pw@cam/x", **fields)  # type: ignore[arg-type]
    return Session(request, shown_url="http://***@cam/x", volume=1.0, muted=False)


async def test_a_life(caplog: pytest.LogCaptureFixture) -> None:
    """Accepted, prepared, shown, stopped, ended; each with its record."""
    one = session(duration=30.0, title="Door")
    assert one.snapshot().session_state is SessionState.PENDING
    assert one.snapshot().state is PlayerState.IDLE
    one.move(SessionState.STARTING)
    one.progress.opened(Opened(MediaType.VIDEO, True))
    one.first_frame()
    shown = one.snapshot()
    assert shown.session_state is SessionState.ACTIVE
    assert shown.time_to_first_frame is not None
    assert shown.first_frame_at is not None
    assert shown.expires_at is not None
    assert (shown.expires_at - shown.first_frame_at).total_seconds() == pytest.approx(30.0, abs=0.01)
    assert one.has_first_frame.is_set()
    assert one.conclude(EndReason.STOPPED)
    one.move(SessionState.STOPPING)
    one.move(SessionState.ENDED)
    ended = one.snapshot()
    assert (ended.reason, ended.error, ended.state) == (EndReason.STOPPED, None, PlayerState.IDLE)
    assert ended.url == "http://***@cam/x"


async def test_the_first_reason_holds() -> None:
    """A session ends for one reason: the first that was said."""
    one = session()
    failure = Failure(ErrorCode.MEDIA_NETWORK, "gone")
    assert one.conclude(EndReason.FAILED, failure)
    assert not one.conclude(EndReason.STOPPED)
    assert one.end is not None
    assert one.end.failure is failure


@pytest.mark.parametrize(
    ("before", "after"),
    [(b, a) for b, a in itertools.product(SessionState, SessionState) if a not in MOVES[b]],
    ids=str,
)
async def test_other_moves_are_refused(before: SessionState, after: SessionState) -> None:
    """A move that is not in the table raises."""
    one = session()
    one._state = before
    with pytest.raises(InvalidTransitionError):
        one.move(after)


def test_every_state_but_the_last_can_end() -> None:
    """Every state that is in use has a way to `ended`, and none leads out of it."""
    reach = {SessionState.ENDED}
    for _ in SessionState:
        reach |= {state for state, moves in MOVES.items() if moves & reach}
    assert reach == set(SessionState)
    assert MOVES[SessionState.ENDED] == frozenset()


async def test_a_film_that_was_taken_up_again_knows_its_position_at_once() -> None:
    """The position that is stored at the first frame is not 0 because the new player has not reported one yet."""
    player = FakePlayer(1)
    one = session()
    one.was_playing(position=1234.0)
    one.move(SessionState.STARTING)
    one.plays_on(player)
    one.progress.opened(Opened(MediaType.VIDEO, True))
    one.first_frame()
    assert player.progress.position is None
    assert one.snapshot().position == 1234.0
    assert one.progress.resume_position == 1234.0


async def test_a_list_in_a_list_takes_the_place_of_its_entry() -> None:
    """The entry that is stored over a restart is that of the first list, because the lists in it may be others by
    then."""
    one = session()
    assert one.playlist.take(["http://a/", "http://list/", "http://d/"])
    assert one.skips_entry()
    assert one.playlist.take(["http://b/", "http://c/"])
    played = [(one.url, one.playlist.entry)]
    while one.goes_on():
        played.append((one.url, one.playlist.entry))
    assert played == [("http://b/", 1), ("http://c/", 1), ("http://d/", 2)]


async def test_lists_in_lists_are_bounded() -> None:
    """The depth is bounded, so that a list that names itself comes to an end, and so is the number."""
    one = session()
    assert [one.playlist.take(["http://itself/"]) for _ in range(LISTS_IN_EACH_OTHER + 1)] == [True] * 3 + [False]
    one = session()
    assert one.playlist.take([f"http://{number}/" for number in range(99)])
    assert one.playlist.take(["http://x/", "http://y/", "http://z/"])
    assert sum(1 for _ in iter(one.goes_on, False)) == ENTRIES_LIMIT - 1
