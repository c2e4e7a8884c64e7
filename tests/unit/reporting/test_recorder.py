"""The events of the bus that are kept for readers who are told later."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from agent.events.bus import Event
from agent.events.event import URL_LIMIT, Occurrence
from agent.events.timestamp import timestamp
from agent.reporting.outbox.recorder import Recorder
from agent.snapshot import TrackerSnapshot
from agent.types import EndReason, ErrorCode, Quality, SessionId, SessionState
from cast_wire.kinds import EventKind
from tests.support.api import session_snapshot

FILM = SessionId("film")
START: Mapping[str, str | None] = {"url": "http://film/", "title": None, "quality": Quality.AUTO}
BROKEN: Mapping[str, str | float] = {"code": ErrorCode.MEDIA_NETWORK, "message": "It broke.", "attempt": 2}


class Box:
    """A recorder that is told one event after the other."""

    def __init__(self, *, restores: bool = True) -> None:
        self.recorder = Recorder(restores=restores)
        self.kept: list[Occurrence] = []

    def tell(self, kind: EventKind, **data: str | float | bool | None) -> None:
        occurrence = self.recorder.take(Event(1, kind, timestamp(), FILM, data))
        self.kept += [] if occurrence is None else [occurrence]

    @property
    def kinds(self) -> list[EventKind]:
        return [occurrence.kind for occurrence in self.kept]


def test_a_life_is_kept() -> None:
    box = Box()
    box.tell(EventKind.SESSION_STARTED, **START)
    box.tell(EventKind.SESSION_LOADING)
    box.tell(EventKind.FIRST_FRAME, seconds=0.25)
    box.tell(EventKind.PLAYBACK_CHANGED, state="playing")
    box.tell(EventKind.SESSION_FAILING, **BROKEN)
    box.tell(EventKind.SESSION_RESUMED)
    box.tell(EventKind.SESSION_WAITING)
    box.tell(EventKind.SESSION_ENDED, reason=EndReason.STOPPED, code=None, message=None, position=12.3456)
    assert [(occurrence.kind.value, occurrence.data) for occurrence in box.kept] == [
        ("session_started", {"url": "http://film/", "quality": "auto"}),
        ("first_frame", {"time_to_first_frame": 0.25}),
        ("session_failing", {"error": {"code": "media_network", "message": "It broke."}, "attempt": 2}),
        ("first_frame", box.kept[3].data),  # the outbox knows that it is another one
        ("session_waiting", {}),
        ("session_ended", {"reason": "stopped", "position": 12.346}),
    ]


def test_a_start_that_is_tried_again_has_not_failed() -> None:
    box = Box()
    box.tell(EventKind.SESSION_STARTED, **START)
    box.tell(EventKind.SESSION_FAILING, **BROKEN)
    box.tell(EventKind.SESSION_ENDED, reason=EndReason.FAILED, code="media_network", message="Gone.", position=None)
    assert box.kinds == [EventKind.SESSION_STARTED, EventKind.SESSION_ENDED]
    assert box.kept[-1].data["error"] == {"code": "media_network", "message": "Gone."}


def test_one_outage_and_one_list_are_kept_once() -> None:
    """They are kept once, however often it is tried again, and however many entries it plays: a card lasts only so many
    writes."""
    box = Box()
    box.tell(EventKind.SESSION_STARTED, **START)
    for _ in range(3):
        box.tell(EventKind.FIRST_FRAME, seconds=0.25)
    for _ in range(3):
        box.tell(EventKind.SESSION_FAILING, **BROKEN)
    assert box.kinds == [EventKind.SESSION_STARTED, EventKind.FIRST_FRAME, EventKind.SESSION_FAILING]


def test_a_session_begins_with_its_address() -> None:
    """A code that leads nowhere has never been a session for others."""
    box = Box()
    box.tell(EventKind.SESSION_STARTED, **{**START, "url": ""})
    box.tell(EventKind.SESSION_LOADING)
    assert box.kept == []
    box.tell(EventKind.SESSION_CHANGED, url="http://other/" + "x" * URL_LIMIT, title="Theirs")
    [started] = box.kept
    assert started.kind is EventKind.SESSION_STARTED
    assert started.data["title"] == "Theirs"
    assert len(str(started.data["url"])) == URL_LIMIT
    nowhere = Box()
    nowhere.tell(EventKind.SESSION_STARTED, **{**START, "url": ""})
    nowhere.tell(EventKind.SESSION_ENDED, reason=EndReason.FAILED, code=None, message=None, position=None)
    nowhere.tell(EventKind.SESSION_CHANGED, url="http://late/")
    assert nowhere.kept == []


def test_what_was_shown_of_a_video_is_kept() -> None:
    """The count is kept for a session of the library that was seen; the others tell nothing of it."""
    box = Box()
    box.tell(EventKind.SESSION_STARTED, **START)
    end = {"reason": EndReason.FINISHED, "code": None, "message": None, "position": None}
    box.tell(EventKind.SESSION_ENDED, **end, video_id="v1", shown_s=12.5, completed=True)
    assert box.kept[-1].data == {
        "reason": "finished",
        "shown": {"video_id": "v1", "seconds": 12.5, "completed": True},
    }


@pytest.mark.parametrize("restores", [True, False])
def test_what_comes_back_has_not_ended(restores: bool) -> None:
    box = Box(restores=restores)
    box.tell(EventKind.SESSION_STARTED, **START)
    box.tell(EventKind.SESSION_ENDED, reason=EndReason.SHUTDOWN, code=None, message=None, position=None)
    assert (EventKind.SESSION_ENDED in box.kinds) is not restores


def test_a_journal_begins_with_what_is_on() -> None:
    """The picture comes before the others wait; a session from before a restart does not know when it was started."""
    now = timestamp()
    film, bell, coming = (
        session_snapshot(session_id=SessionId(name), url=url, session_state=state, first_frame_at=at)
        for name, url, state, at in (
            ("film", "http://film/", SessionState.WAITING, now.utc),
            ("bell", "http://bell/", SessionState.ACTIVE, now.utc),
            ("coming", "", SessionState.STARTING, None),
        )
    )
    box = Box()
    kept = box.recorder.begin(TrackerSnapshot(sessions=(film, bell, coming)), now)
    assert [(occurrence.kind.value, occurrence.session_id) for occurrence in kept] == [
        ("session_started", "film"),
        ("session_started", "bell"),
        ("first_frame", "bell"),
        ("session_waiting", "film"),
    ]
    assert kept[2].data == {"time_to_first_frame": round(now.at - bell.started_at.timestamp(), 3)}
    box.tell(EventKind.SESSION_FAILING, **BROKEN)
    assert box.kinds == [EventKind.SESSION_FAILING], "it had played before the journal began"
