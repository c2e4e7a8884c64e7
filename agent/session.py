"""One session: what was asked for, where it is in its one-way life, and how it ended."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from agent.errors import InvalidTransitionError
from agent.motion import Motion
from agent.player.base import Opened, Player
from agent.types import (
    EndReason,
    Failure,
    MediaType,
    PlayerState,
    SessionId,
    SessionSnapshot,
    SessionState,
    StartRequest,
)

MOVES: Mapping[SessionState, frozenset[SessionState]] = {
    SessionState.PENDING: frozenset({SessionState.STARTING, SessionState.STOPPING}),
    SessionState.STARTING: frozenset({SessionState.ACTIVE, SessionState.STOPPING}),
    SessionState.ACTIVE: frozenset({SessionState.STOPPING}),
    SessionState.WAITING: frozenset(),
    SessionState.STOPPING: frozenset({SessionState.ENDED}),
    SessionState.ENDED: frozenset(),
}
"""Every move there is; anything else raises."""


@dataclass(frozen=True, slots=True)
class End:
    """Why a session ended, and with which failure."""

    reason: EndReason
    failure: Failure | None = None


class Session:
    """One-shot: playing something again is a new session. `shown_url` is the url without its credentials."""

    def __init__(self, request: StartRequest, *, shown_url: str) -> None:
        loop = asyncio.get_running_loop()
        self.id = SessionId(str(uuid.uuid4()))
        self.request = request
        self.has_first_frame = asyncio.Event()
        self.has_ended = asyncio.Event()
        self._now = loop.time
        self._shown_url = shown_url
        self._state = SessionState.PENDING
        self._end: End | None = None
        self._accepted_at = loop.time()
        self._accepted_utc = datetime.now(UTC)
        self._ended_utc: datetime | None = None
        self._first_frame_at: float | None = None
        self._player: Player | None = None
        self._opened: Opened | None = None
        self._motion: Motion | None = None

    @property
    def state(self) -> SessionState:
        return self._state

    @property
    def end(self) -> End | None:
        """How it ends; set before the session has ended, by whoever ends it."""
        return self._end

    @property
    def media_type(self) -> MediaType | None:
        return self._opened.media_type if self._opened else None

    def move(self, state: SessionState) -> None:
        """Raises InvalidTransitionError for a move that is not in MOVES."""
        if state not in MOVES[self._state]:
            raise InvalidTransitionError(f"A session cannot go from {self._state} to {state}.")
        self._state = state
        if state is SessionState.ENDED:
            assert self._end is not None, "a session ends with a reason"
            self._ended_utc = datetime.now(UTC)
            self.has_ended.set()

    def conclude(self, reason: EndReason, failure: Failure | None = None) -> bool:
        """Say how it ends. The first to say it wins; tells whether that was this call."""
        if self._end is not None:
            return False
        self._end = End(reason, failure)
        return True

    def plays_on(self, player: Player) -> None:
        """From now on this player tells how far it is."""
        self._player = player

    def opened(self, opened: Opened) -> None:
        self._opened = opened

    def first_frame(self) -> None:
        """The first picture is on the screen, or the first sound has been heard."""
        assert self._opened is not None
        self._first_frame_at = self._now()
        self._motion = Motion(self._opened.media_type, began_at=self._first_frame_at)
        self.move(SessionState.ACTIVE)
        self.has_first_frame.set()

    def observe(self) -> float:
        """Take in the player's latest report; seconds since something last advanced."""
        if self._motion is None or self._player is None:
            return 0.0
        self._motion.observe(self._player.progress)
        return self._motion.still_for(self._now())

    def snapshot(self) -> SessionSnapshot:
        self.observe()
        request, player, first = self.request, self._player, self._first_frame_at
        progress = player.progress if player else None
        first_utc = None if first is None else self._utc(first)
        known_position = progress is not None and progress.position is not None and first is not None
        return SessionSnapshot(
            session_id=self.id,
            url=self._shown_url,
            title=request.title,
            quality=request.quality,
            session_state=self._state,
            state=self._player_state(),
            started_at=self._accepted_utc,
            volume_level=request.volume,
            muted=request.muted,
            first_frame_at=first_utc,
            time_to_first_frame=None if first is None else first - self._accepted_at,
            position=progress.position if progress and known_position else None,
            position_updated_at=self._utc(progress.at) if progress and known_position else None,
            duration=progress.duration if progress else None,
            expires_at=first_utc + timedelta(seconds=request.duration) if first_utc and request.duration else None,
            frames_displayed=progress.pictures if progress else 0,
            media_type=self.media_type,
            stream_type=progress.stream_type if progress else None,
            engine=player.engine if player else None,
            hardware_decoding=progress.hardware_decoding if progress else None,
            ended_at=self._ended_utc,
            reason=self._end.reason if self._end else None,
            error=self._end.failure if self._end else None,
        )

    def _player_state(self) -> PlayerState:
        if self._state in (SessionState.STOPPING, SessionState.ENDED):
            return PlayerState.IDLE
        if self._motion is None:
            return PlayerState.IDLE if self._player is None else PlayerState.LOADING
        return self._motion.state(self._now())

    def _utc(self, monotonic: float) -> datetime:
        return datetime.now(UTC) - timedelta(seconds=self._now() - monotonic)
