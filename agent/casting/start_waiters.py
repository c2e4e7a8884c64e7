"""The outcome of a start: the wait for its first frame, or the reason why there was none."""

from __future__ import annotations

import asyncio
from collections import OrderedDict

from agent.casting.moves import End
from agent.casting.session import Session
from agent.errors import (
    CentralUnavailableError,
    InvalidTransitionError,
    MediaError,
    NotSupportedError,
    PlayerTimeoutError,
    PlayerUnavailableError,
    ReplacedError,
    SessionNotFoundError,
    StreamNotFoundError,
)
from agent.snapshot import SessionSnapshot
from agent.types import EndReason, ErrorCode, SessionId

ENDED_KEPT = 64
"""Ended sessions that somebody who waits for a first frame can still ask about."""


class StartWaiters:
    """Remembers every session that runs and the last that ended."""

    def __init__(self) -> None:
        self._sessions: OrderedDict[SessionId, Session] = OrderedDict()

    def remember(self, session: Session) -> None:
        self._sessions[session.id] = session
        for old_id, old in list(self._sessions.items())[:-ENDED_KEPT]:
            if old.has_ended.is_set():
                del self._sessions[old_id]

    async def first_frame(self, session_id: SessionId, timeout_s: float) -> SessionSnapshot | None:
        """Wait for the first frame of a session: its snapshot then, or None when the time is over.

        Raises what went wrong when it ended before: MediaError, PlayerTimeoutError, PlayerUnavailableError,
        ReplacedError, InvalidTransitionError when it was stopped, SessionNotFoundError for an id that is not there.
        """
        session = self._session(session_id)
        return session.snapshot() if await self._came(session.has_first_frame, session, timeout_s) else None

    async def located(self, session_id: SessionId, timeout_s: float) -> bool:
        """Wait until it is known where the stream is that a session is to join; False when the time is over.

        Raises as `first_frame` does, and StreamNotFoundError, CentralUnavailableError or NotSupportedError.
        """
        session = self._session(session_id)
        return await self._came(session.is_located, session, timeout_s)

    def _session(self, session_id: SessionId) -> Session:
        session = self._sessions.get(session_id)
        if session is None:
            raise SessionNotFoundError(f"There is no session {session_id}.")
        return session

    async def _came(self, event: asyncio.Event, session: Session, timeout_s: float) -> bool:
        either = [asyncio.create_task(each.wait(), name=f"wait-{session.id}") for each in (event, session.has_ended)]
        try:
            await asyncio.wait(either, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in either:
                task.cancel()
        if event.is_set():
            return True
        if session.end is not None:
            raise _why(session.end)
        return False


def _why(end: End) -> Exception:
    if end.failure is not None:
        match end.failure.code:
            case ErrorCode.PLAYER_TIMEOUT:
                return PlayerTimeoutError(end.failure.message)
            case ErrorCode.PLAYER_UNAVAILABLE:
                return PlayerUnavailableError(end.failure.message)
            case ErrorCode.STREAM_NOT_FOUND:
                return StreamNotFoundError(end.failure.message)
            case ErrorCode.CENTRAL_UNAVAILABLE:
                return CentralUnavailableError(end.failure.message, retry_after_s=end.failure.retry_after_s)
            case ErrorCode.NOT_SUPPORTED:
                return NotSupportedError(end.failure.message)
            case code:
                return MediaError(code, end.failure.message)
    if end.reason is EndReason.REPLACED:
        return ReplacedError("A newer start replaced it before its first frame.")
    return InvalidTransitionError(f"The stream was {end.reason} before its first frame.")
