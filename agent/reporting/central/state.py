"""The box as others are to see it: what is told as its state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from agent.casting.saved import Volume
from agent.events.event import MESSAGE_LIMIT, TITLE_LIMIT, URL_LIMIT, error_of
from agent.snapshot import SessionSnapshot, TrackerSnapshot
from cast_wire.engines import VERSION_LIMIT


@dataclass(frozen=True, slots=True)
class ReportedEngine:
    """A kind of player that is installed."""

    name: str
    version: str
    """Empty until one has run."""
    codecs: tuple[str, ...] | None
    """Those of the codecs of films that it decodes; None: it is not known."""


@dataclass(frozen=True, slots=True)
class View:
    """All that there is to see of a box at one moment."""

    name: str
    snapshot: TrackerSnapshot
    volume: Volume
    problems: tuple[str, ...] = ()
    """The problems of the box, as sentences; none when a start would work."""
    engines: tuple[ReportedEngine, ...] | None = None
    """None: nothing is told of them."""

    def fields(self) -> Mapping[str, Any]:
        """The fields of wire.State that are about the box itself."""
        stream = self.snapshot.stream
        return {
            "name": self.name,
            "status": "idle" if stream is None else "casting",
            "stream": None if stream is None else _session(stream),
            "interrupted": [_session(waiting) for waiting in self.snapshot.interrupted],
            "volume_level": self.volume.level,
            "muted": self.volume.muted,
            "health": "degraded" if self.problems else "healthy",
            "engines": None if self.engines is None else [_engine(engine) for engine in self.engines],
            "problems": [problem[:MESSAGE_LIMIT] for problem in self.problems],
        }

    def essence(self) -> object:
        """The part of a view whose change is worth reporting; positions advance on their own."""
        seen = tuple(
            (s.session_id, s.session_state, s.state, s.title, s.attempt, s.error, s.first_frame_at is None)
            for s in self.snapshot.sessions
        )
        return seen, self.volume.level, self.volume.muted, self.problems, self.engines


def _engine(engine: ReportedEngine) -> Mapping[str, Any]:
    return {"name": engine.name, "version": engine.version[:VERSION_LIMIT] or None, "codecs": engine.codecs}


def _session(session: SessionSnapshot) -> Mapping[str, Any]:
    return {
        "session_id": session.session_id,
        "url": session.url[:URL_LIMIT],
        "title": None if session.title is None else session.title[:TITLE_LIMIT],
        "quality": session.quality.value,
        "state": session.state.value,
        "session_state": session.session_state.value,
        "started_at": session.started_at,
        "first_frame_at": session.first_frame_at,
        "position": session.position,
        "duration": session.duration,
        "expires_at": session.expires_at,
        "attempt": session.attempt,
        "error": None if session.error is None else error_of(session.error.code.value, session.error.message),
    }
