"""What happens on the box, seen by looking at it after each change."""

from __future__ import annotations

from typing import Final

from pydantic import JsonValue

from agent.events.event import MESSAGE_LIMIT, TITLE_LIMIT, URL_LIMIT, Happening
from agent.events.timestamp import Moment
from agent.types import EndReason, Failure, SessionId, SessionSnapshot, SessionState, TrackerSnapshot
from cast_wire.kinds import EventKind

_ORDER: Final = (
    EventKind.SESSION_STARTED,
    EventKind.FIRST_FRAME,
    EventKind.SESSION_WAITING,
    EventKind.SESSION_FAILING,
    EventKind.SESSION_ENDED,
)
"""Of things that are seen in one look: a picture comes before what was on waits or ends, and one thing begins before it
does anything else."""


class History:
    """Follows the sessions of one run. With `restores` those that end with the agent will come back, so they have not
    ended. Whether something had been told before the run is for the outbox to know."""

    def __init__(self, *, restores: bool) -> None:
        self._restores = restores
        self._phases: dict[SessionId, EventKind] = {}
        self._attempts: dict[SessionId, int] = {}
        """As they were seen last: one that was interrupted while it failed is not failing when it comes back."""

    def look(self, snapshot: TrackerSnapshot, now: Moment) -> list[Happening]:
        """What has happened since the last look, in order. A session that ends must be looked at before another does:
        only the last one is shown."""
        happened = []
        for session in snapshot.sessions:
            if not session.url:
                continue  # whoever asked for it is told whether there is such a stream; until then nothing has begun
            if session.session_id not in self._phases:
                self._phases[session.session_id] = EventKind.SESSION_STARTED
                happened.append(_happening(EventKind.SESSION_STARTED, session, now))
            phase = _phase(session, self._attempts.get(session.session_id, 1))
            self._attempts[session.session_id] = session.attempt
            if phase is not None and phase is not self._phases[session.session_id]:
                self._phases[session.session_id] = phase
                happened.append(_happening(phase, session, now))
        last = snapshot.last
        if last is not None and self._phases.pop(last.session_id, None) is not None:
            del self._attempts[last.session_id]
            comes_back = self._restores and last.reason is EndReason.SHUTDOWN
            happened += [] if comes_back else [_happening(EventKind.SESSION_ENDED, last, now)]
        return sorted(happened, key=lambda happening: _ORDER.index(happening.kind))


def error_of(failure: Failure) -> dict[str, JsonValue]:
    """As the wire has it."""
    return {"code": failure.code.value, "message": failure.message[:MESSAGE_LIMIT]}


def _phase(session: SessionSnapshot, attempt_before: int) -> EventKind | None:
    """What there is to tell of it; None for what is on its way."""
    if session.session_state is SessionState.WAITING:
        return EventKind.SESSION_WAITING
    if session.first_frame_at is not None and session.attempt > attempt_before:
        return EventKind.SESSION_FAILING
    is_on = session.session_state is SessionState.ACTIVE and session.attempt == 1
    return EventKind.FIRST_FRAME if is_on else None


def _happening(kind: EventKind, session: SessionSnapshot, now: Moment) -> Happening:
    data: dict[str, JsonValue] = {}
    if kind is EventKind.SESSION_STARTED:
        data = {"url": session.url[:URL_LIMIT], "quality": session.quality.value}
        if session.title is not None:
            data["title"] = session.title[:TITLE_LIMIT]
    elif kind is EventKind.FIRST_FRAME:
        # One that comes back after a restart does not know when it was started.
        seconds = session.time_to_first_frame or max(0.0, now.at - session.started_at.timestamp())
        data = {"time_to_first_frame": round(seconds, 3)}
    elif kind is EventKind.SESSION_FAILING and session.error is not None:
        data = {"error": error_of(session.error), "attempt": session.attempt}
    elif kind is EventKind.SESSION_ENDED:
        data = {"reason": session.reason.value if session.reason else "failed"}
        if session.reason is EndReason.FAILED and session.error is not None:
            data["error"] = error_of(session.error)
        if session.position is not None:
            data["position"] = round(session.position, 3)
    return Happening(kind, now, session.session_id, data)
