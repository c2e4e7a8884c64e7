"""The parts of sessions that are stored over a restart."""

from __future__ import annotations

from dataclasses import dataclass

from agent.casting.session import Session
from agent.types import CentralStream, SessionId, StartRequest


@dataclass(frozen=True, slots=True)
class Volume:
    """The volume of the device, for a start that names none."""

    level: float = 1.0
    muted: bool = False


@dataclass(frozen=True, slots=True)
class Saved:
    """One session as it is stored over a restart."""

    session_id: SessionId
    request: StartRequest
    position: float
    remaining: float | None
    """Seconds of its duration that are left."""
    volume: Volume
    entry: int = 0
    """The entry of the playlist that it plays, from 0; the position is inside it."""
    played: bool = True
    """True if the session had a first frame; otherwise it is still starting, above the current one."""
    paused: bool = False
    joined: CentralStream | None = None
    """The stream that the session had joined, as it was known."""
    shown_s: float = 0.0
    """The seconds of a library video that were shown."""
    completed: bool = False
    """True if the end of that video was reached."""


def saved_of(session: Session) -> Saved:
    """The parts of a session to store, as it is now."""
    return Saved(
        session_id=session.id,
        request=session.request,
        position=session.progress.resume_position,
        remaining=session.lifetime.remaining,
        volume=Volume(session.volume, session.muted),
        entry=session.playlist.entry,
        played=session.has_played,
        paused=session.paused,
        joined=session.joined,
        shown_s=session.shown.seconds,
        completed=session.shown.completed,
    )
