"""The events of a session's life, from its one setter."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from agent.casting.limits import Limits
from agent.casting.parts import SessionParts
from agent.casting.session import Session
from agent.casting.tracker import StreamTracker
from agent.media.redaction import redact
from agent.types import EndReason, PlayerState, SessionId, SessionState, StartRequest
from cast_wire.kinds import EventKind
from tests.support import fakes
from tests.support.fakes import FakePlayers, FakeStage


@dataclass
class Told:
    events: list[tuple[EventKind, SessionId | None, dict[str, object]]] = field(default_factory=list)

    def __call__(self, kind: EventKind, session_id: SessionId | None = None, **data: object) -> None:
        self.events.append((kind, session_id, data))

    def of(self, session_id: SessionId) -> list[str]:
        """Its kinds, and the states that it told."""
        return [str(data.get("state", kind.value)) for kind, session, data in self.events if session == session_id]

    async def until(self, session_id: SessionId, last: str) -> list[str]:
        async with asyncio.timeout(10):
            while last not in self.of(session_id):
                await asyncio.sleep(0.01)
        return self.of(session_id)


@pytest.fixture
async def box() -> AsyncIterator[tuple[StreamTracker, Told]]:
    players, told = FakePlayers(), Told()
    tracker = StreamTracker(
        SessionParts(players, FakeStage(players), redact),
        limits=Limits(start_timeout=5.0, stall_timeout=5.0),
        emit=told,
    )
    yield tracker, told
    await tracker.close()


async def test_a_session_tells_its_life(box: tuple[StreamTracker, Told]) -> None:
    tracker, told = box
    film = tracker.start(StartRequest(url="http://film/one.mp4"))
    await told.until(film, "playing")
    bell = tracker.start(StartRequest(url="http://film/two.mp4", interrupt=True))
    await told.until(film, "session_waiting")
    await told.until(bell, "playing")
    await tracker.stop()
    assert await told.until(film, "session_resumed")
    await tracker.set_volume(0.5, None)
    await tracker.pause(True)
    await tracker.stop()
    life = [kind for kind in told.of(film) if kind not in ("idle", "loading")]
    assert [one for one in life if one.startswith(("session", "first"))] == [
        "session_started",
        "session_loading",
        "first_frame",
        "session_waiting",
        "session_loading",
        "session_resumed",
        "session_changed",
        "session_ended",
    ]
    assert life.index("first_frame") < life.index("playing")
    assert life[-2:] == ["paused", "session_ended"]
    assert (EventKind.VOLUME_CHANGED, None, {"level": 0.5, "muted": False}) in told.events
    ended = next(data for kind, session, data in told.events if (kind, session) == (EventKind.SESSION_ENDED, bell))
    assert (ended["reason"], ended["code"]) == ("stopped", None)


async def test_an_end_is_told_when_it_is_over(box: tuple[StreamTracker, Told], monkeypatch: pytest.MonkeyPatch) -> None:
    """A listener that hears of the end of a session finds the session gone, and as the last one."""
    tracker, told = box
    film = tracker.start(StartRequest(url="http://film/one.mp4"))
    await told.until(film, "first_frame")
    seen = []

    def look(kind: EventKind, session_id: SessionId | None = None, **data: object) -> None:
        if kind is EventKind.SESSION_ENDED:
            seen.append(tracker.snapshot())

    monkeypatch.setattr(tracker, "_emit", look)
    await tracker.stop()
    [snapshot] = seen
    assert snapshot.stream is None
    assert snapshot.last is not None
    assert snapshot.last.session_id == film


async def test_what_a_player_finds_out_late_is_told(
    box: tuple[StreamTracker, Told], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A length that is known only after the first frame is a change that followers are told."""
    tracker, told = box
    film = tracker.start(StartRequest(url="http://film/one.mp4"))
    await told.until(film, "first_frame")
    assert "session_changed" not in told.of(film)
    monkeypatch.setattr(fakes, "LENGTH_S", 500.0)
    await told.until(film, "session_changed")


async def test_a_freeze_is_told_without_anybody_asking(box: tuple[StreamTracker, Told]) -> None:
    tracker, told = box
    film = tracker.start(StartRequest(url="http://stalls/film.mp4"))
    await told.until(film, "playing")
    after = await told.until(film, "session_failing")
    playing = after.index("playing")
    assert after[playing + 1] == "buffering"


async def test_looking_changes_nothing(box: tuple[StreamTracker, Told]) -> None:
    tracker, told = box
    film = tracker.start(StartRequest(url="http://film/one.mp4"))
    await told.until(film, "first_frame")
    before = len(told.events)
    states = {tracker.snapshot().sessions[0].state for _ in range(1000)}
    assert len(states) == 1
    assert len(told.events) == before


async def test_an_end_is_told_as_soon_as_it_is_certain_also_of_one_that_waits() -> None:
    """Its player may hang: who keeps what is wanted must not bring it back meanwhile."""
    told = Told()
    one = Session(StartRequest(url="http://film/"), shown_url="http://film/", volume=1.0, muted=False, emit=told)
    one.move(SessionState.WAITING)
    before = len(told.events)
    assert one.conclude(EndReason.STOPPED)
    assert told.events[before:] == [(EventKind.PLAYBACK_CHANGED, one.id, {"state": PlayerState.IDLE})]
    assert not one.conclude(EndReason.FAILED)
    assert len(told.events) == before + 1


async def test_a_pause_between_two_players_is_told() -> None:
    """Its state is the same then, but it comes back paused after a restart."""
    told = Told()
    one = Session(StartRequest(url="http://film/"), shown_url="http://film/", volume=1.0, muted=False, emit=told)
    one.pause(True)
    assert told.events[-1] == (EventKind.SESSION_CHANGED, one.id, {})
