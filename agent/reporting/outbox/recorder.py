"""The choice of the bus's events that are kept for readers who are told later."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import JsonValue

from agent.events.bus import Event
from agent.events.event import TITLE_LIMIT, URL_LIMIT, Occurrence, error_of
from agent.events.timestamp import Timestamp
from agent.snapshot import SessionSnapshot, TrackerSnapshot
from agent.types import EndReason, SessionId, SessionState
from cast_wire.kinds import EventKind


@dataclass(slots=True)
class _Known:
    started_at: float
    """Seconds since 1970."""
    has_played: bool = False
    phase: EventKind = EventKind.SESSION_STARTED
    """The event of the session that was stored last."""


class Recorder:
    """Follows the sessions of one run. With `restores` those that end with the agent will come back, so they have not
    ended. Whether something had been told before the run is for the outbox to know."""

    def __init__(self, *, restores: bool) -> None:
        self._restores = restores
        self._known: dict[SessionId, _Known] = {}
        self._unlocated: dict[SessionId, Event] = {}
        """The starts of sessions whose address is still looked up: for others they begin with the address."""

    def begin(self, snapshot: TrackerSnapshot, now: Timestamp) -> list[Occurrence]:
        """Take up what is there already; what is to be kept of it, in order: a picture comes before others wait."""
        found = [self.take(_started(session, now)) for session in snapshot.sessions]
        for session in snapshot.sessions:
            if (known := self._known.get(session.session_id)) is not None:
                known.started_at = session.started_at.timestamp()
                known.has_played = session.first_frame_at is not None
        for session in snapshot.sessions:
            if session.session_state is SessionState.ACTIVE and session.attempt == 1:
                seconds = session.time_to_first_frame
                event = Event(0, EventKind.FIRST_FRAME, now, session.session_id, {"seconds": seconds})
                found.append(self.take(event))
        for session in snapshot.sessions:
            if session.session_state is SessionState.WAITING:
                found.append(self.take(Event(0, EventKind.SESSION_WAITING, now, session.session_id)))
        return [occurrence for occurrence in found if occurrence is not None]

    def take(self, event: Event) -> Occurrence | None:
        """The part of an event to store; None if it is no news for receivers that are told later."""
        session_id = event.session_id
        if session_id is None:
            return None
        known = self._known.get(session_id)
        if known is None:
            return self._beginning(session_id, event)
        match event.kind:
            case EventKind.FIRST_FRAME | EventKind.SESSION_RESUMED:  # the outbox knows which of the two it is
                known.has_played = True
                # One that comes back after a restart does not know how long its first frame took.
                seconds = event.data.get("seconds") or max(0.0, event.at.at - known.started_at)
                data: dict[str, JsonValue] = {"time_to_first_frame": round(float(seconds), 3)}
                return _next(known, EventKind.FIRST_FRAME, event, data)
            case EventKind.SESSION_WAITING:
                return _next(known, event.kind, event, {})
            case EventKind.SESSION_FAILING if known.has_played:  # before that it is a start that is tried again
                return _next(known, event.kind, event, {"error": _error(event), "attempt": event.data["attempt"]})
            case EventKind.SESSION_ENDED:
                del self._known[session_id]
                return self._end(event)
        return None

    def _beginning(self, session_id: SessionId, event: Event) -> Occurrence | None:
        start = self._unlocated.pop(session_id, event)
        if event.kind is EventKind.SESSION_ENDED or start.kind is not EventKind.SESSION_STARTED:
            return None
        found = {**start.data, **event.data}
        url, title = str(found["url"] or ""), found["title"]
        if not url:
            self._unlocated[session_id] = start
            return None
        self._known[session_id] = _Known(event.at.at)
        data: dict[str, JsonValue] = {"url": url[:URL_LIMIT], "quality": str(found["quality"])}
        if title is not None:
            data["title"] = str(title)[:TITLE_LIMIT]
        return Occurrence(EventKind.SESSION_STARTED, event.at, session_id, data)

    def _end(self, event: Event) -> Occurrence | None:
        reason, position = event.data["reason"], event.data["position"]
        if self._restores and reason == EndReason.SHUTDOWN:
            return None
        data: dict[str, JsonValue] = {"reason": str(reason)}
        if reason == EndReason.FAILED and event.data["code"] is not None:
            data["error"] = _error(event)
        if position is not None:
            data["position"] = round(float(position), 3)
        if (video_id := event.data.get("video_id")) is not None:
            data["shown"] = {
                "video_id": str(video_id),
                "seconds": event.data["shown_s"],
                "completed": event.data["completed"],
            }
        return Occurrence(event.kind, event.at, event.session_id, data)


def _started(session: SessionSnapshot, now: Timestamp) -> Event:
    data = {"url": session.url, "title": session.title, "quality": session.quality}
    return Event(0, EventKind.SESSION_STARTED, now, session.session_id, data)


def _next(known: _Known, phase: EventKind, event: Event, data: dict[str, JsonValue]) -> Occurrence | None:
    """None where it is in this phase already: a list plays its next entry, or fails once more."""
    if known.phase is phase:
        return None
    known.phase = phase
    return Occurrence(phase, event.at, event.session_id, data)


def _error(event: Event) -> dict[str, JsonValue]:
    return error_of(str(event.data["code"]), str(event.data["message"]))
