"""The state of the sessions at one moment."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from agent.types import (
    Capability,
    EndReason,
    Failure,
    MediaType,
    PlayerState,
    Quality,
    SessionId,
    SessionState,
    StreamType,
)


@dataclass(frozen=True, slots=True)
class SessionSnapshot:
    """One session at one moment."""

    session_id: SessionId
    url: str
    """Without credentials; empty while the central API is asked for it."""
    title: str | None
    quality: Quality
    session_state: SessionState
    state: PlayerState
    started_at: datetime
    """The time at which the start was accepted, UTC."""
    volume_level: float
    muted: bool
    stream_id: str | None = None
    """The id of the joined stream of the central API; None for an address."""
    code: str | None = None
    """The code of that stream."""
    video_id: str | None = None
    """The id of the video in the library of the central API; None for anything else."""
    first_frame_at: datetime | None = None
    time_to_first_frame: float | None = None
    """Seconds from acceptance to the first frame (for audio: to the first sound)."""
    position: float | None = None
    """Seconds into the media; None when live or unknown."""
    position_updated_at: datetime | None = None
    duration: float | None = None
    """Length of the media in seconds; None when live or unknown."""
    expires_at: datetime | None = None
    """The time of the scheduled end, UTC."""
    frames_displayed: int = 0
    media_type: MediaType | None = None
    stream_type: StreamType | None = None
    engine: str | None = None
    hardware_decoding: str | None = None
    """Name of the hardware decoder in use; None when the CPU decodes or nothing is decoded yet."""
    attempt: int = 1
    """The number of attempts since it last played; 1 when all is well."""
    retry_at: datetime | None = None
    """The time of the next attempt; None while one is under way or none is needed."""
    ended_at: datetime | None = None
    reason: EndReason | None = None
    error: Failure | None = None
    """The reason why it ended, the last failure while it is retried, or the thing that is missing while it plays
    (`sound_lost`)."""
    capabilities: dict[str, Capability] = field(default_factory=dict)

    @property
    def cached(self) -> bool:
        """Return True if it is a video of the library that plays from the cache of this box."""
        return self.video_id is not None and self.url.startswith("file:")


@dataclass(frozen=True, slots=True)
class TrackerSnapshot:
    """The sessions that are on or wait, and the one that ended last."""

    stream: SessionSnapshot | None = None
    """The newest accepted session that has not ended; it may still be starting while `on_screen` is another."""
    on_screen: SessionSnapshot | None = None
    """The session that has the screen and the sound."""
    interrupted: tuple[SessionSnapshot, ...] = ()
    """The sessions that wait, the next to come back first."""
    last: SessionSnapshot | None = None
    """The session that ended last."""
    sessions: tuple[SessionSnapshot, ...] = ()
    """All that have not ended, the bottom first, what is being prepared last."""
