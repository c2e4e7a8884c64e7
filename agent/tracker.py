"""The StreamTracker: owns what is on. It alone decides which session is seen and heard, and which one ends."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import structlog

from agent.errors import (
    InvalidTransitionError,
    MediaError,
    PlayerTimeoutError,
    PlayerUnavailableError,
    ReplacedError,
    SessionNotFoundError,
)
from agent.playback import Limits, Playback
from agent.player.base import PlayerSource
from agent.session import End, Session
from agent.stage.base import Stage
from agent.types import (
    EndReason,
    ErrorCode,
    MediaType,
    SessionId,
    SessionSnapshot,
    SessionState,
    StartRequest,
    TrackerSnapshot,
)

ENDING_TIMEOUT_S = 4.0
"""How long a stop waits for players to be gone: 20 ms is usual; 2 s when a process cannot be reaped, and as much
again for a display that hangs. The session's own task goes on with it."""

ENDED_KEPT = 64
"""Ended sessions that somebody who waits for a first frame can still ask about."""

log = structlog.get_logger(__name__)


@dataclass(eq=False, slots=True)
class _Cast:
    """A session that has not ended, with the task that plays it."""

    session: Session
    playback: Playback
    task: asyncio.Task[None]


class StreamTracker:
    """At most one session is on the screen and at most one more is being prepared; of several starts the last
    accepted wins. `redact` takes the credentials out of a URL."""

    def __init__(self, *, players: PlayerSource, stage: Stage, limits: Limits, redact: Callable[[str], str]) -> None:
        self._players = players
        self._stage = stage
        self._limits = limits
        self._redact = redact
        self._starting: _Cast | None = None
        self._on_screen: _Cast | None = None
        self._casts: set[_Cast] = set()
        self._sessions: OrderedDict[SessionId, Session] = OrderedDict()
        self._last: SessionSnapshot | None = None
        self._switching = asyncio.Lock()
        self._closed = False

    def start(self, request: StartRequest) -> SessionId:
        """Accept a stream; it is prepared in the background and shown at its first frame.

        What is on stays on until then, and for good when this one fails. A start that is still being prepared ends
        `replaced` at once. Raises PlayerUnavailableError when nothing could be shown.
        """
        self._check_available()
        if self._starting is not None:
            self._end(self._starting, EndReason.REPLACED)
        session = Session(request, shown_url=self._redact(request.url))
        playback = Playback(
            session, players=self._players, stage=self._stage, limits=self._limits, switch=self._take_screen
        )
        task = asyncio.create_task(playback.run(), name=f"session-{session.id}")
        self._starting = cast = _Cast(session, playback, task)
        self._casts.add(cast)
        self._remember(session)
        task.add_done_callback(lambda _: self._ended(cast))
        log.info("start_accepted", session_id=session.id, url=self._redact(request.url), quality=request.quality)
        return session.id

    async def first_frame(self, session_id: SessionId, timeout_s: float) -> SessionSnapshot | None:
        """Wait for the first frame of a session: its snapshot then, or None when the time is over.

        Raises what went wrong when it ended before: MediaError, PlayerTimeoutError, PlayerUnavailableError,
        ReplacedError, InvalidTransitionError when it was stopped, SessionNotFoundError for an id that is not there.
        """
        session = self._sessions.get(session_id)
        if session is None:
            raise SessionNotFoundError(f"There is no session {session_id}.")
        either = [
            asyncio.create_task(event.wait(), name=f"wait-{session_id}")
            for event in (session.has_first_frame, session.has_ended)
        ]
        try:
            await asyncio.wait(either, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in either:
                task.cancel()
        if session.has_first_frame.is_set():
            return session.snapshot()
        if session.end is not None:
            raise _why(session.end)
        return None

    async def stop(self, session_id: SessionId | None = None) -> tuple[SessionSnapshot, ...]:
        """End what is on and what is being prepared, or only the session of that id. What it ended, as it was at
        its end; empty when there was nothing. The screen is clear and the players are gone when this returns."""
        casts = [
            cast
            for cast in (self._on_screen, self._starting)
            if cast is not None and session_id in (None, cast.session.id)
        ]
        return await self._end_all(casts, EndReason.STOPPED)

    async def close(self) -> None:
        """End everything, for good. Idempotent."""
        self._closed = True
        await self._end_all(list(self._casts), EndReason.SHUTDOWN)

    def snapshot(self) -> TrackerSnapshot:
        on_screen = self._on_screen.session.snapshot() if self._on_screen else None
        starting = self._starting.session.snapshot() if self._starting else None
        return TrackerSnapshot(stream=starting or on_screen, on_screen=on_screen, last=self._last)

    # --- the switch ---

    async def _take_screen(self, playback: Playback) -> None:
        """Called by a playback whose first frame is ready. Without a gap: the new one is raised over the old one,
        then the old one ends, then the new one is given the sound, so that a device that cannot be shared is free.
        """
        async with self._switching:
            if playback.session.media_type is MediaType.AUDIO:
                await self._switch_to_audio(playback)
            else:
                await playback.show()
                await self._now_on_screen(playback)
                await playback.set_sound(True)

    async def _switch_to_audio(self, playback: Playback) -> None:
        """Only what is heard proves that audio plays, and only one of two may hold the device: so the old one lends
        the sound, and gets it back when nothing is heard of the new one."""
        old = self._on_screen
        if old is not None and not await self._lend_sound(old):
            old = None
        try:
            await playback.set_sound(True)
            await playback.first_sound()
        except BaseException:
            if old is not None and old is self._on_screen:
                await asyncio.shield(self._give_back_sound(old))
            raise
        await self._now_on_screen(playback)

    async def _lend_sound(self, cast: _Cast) -> bool:
        """Silence it. One that cannot be silenced is broken, and its process is what holds the device: it ends."""
        try:
            await cast.playback.set_sound(False)
        except (PlayerTimeoutError, PlayerUnavailableError) as e:
            log.warning("sound_not_lent", session_id=cast.session.id, reason=str(e))
            await self._end_all([cast], EndReason.REPLACED)
            return False
        return True

    async def _give_back_sound(self, cast: _Cast) -> None:
        try:
            await cast.playback.set_sound(True)
        except (PlayerTimeoutError, PlayerUnavailableError) as e:  # it hangs or died: its own task ends it
            log.warning("sound_not_returned", session_id=cast.session.id, reason=str(e))

    async def _now_on_screen(self, playback: Playback) -> None:
        old, cast = self._on_screen, self._starting
        if cast is None or cast.playback is not playback:
            raise ReplacedError("Something newer took its place just before its first frame.")
        self._starting, self._on_screen = None, cast
        cast.session.first_frame()
        shown = cast.session.snapshot()
        log.info(
            "first_frame",
            session_id=shown.session_id,
            seconds=round(shown.time_to_first_frame or 0.0, 3),
            media_type=shown.media_type,
        )
        if old is not None:
            self._end(old, EndReason.REPLACED)
            await asyncio.wait({old.task}, timeout=ENDING_TIMEOUT_S)

    # --- ends ---

    def _end(self, cast: _Cast, reason: EndReason) -> None:
        if cast.session.conclude(reason):
            cast.task.cancel()
        if self._starting is cast:
            self._starting = None

    async def _end_all(self, casts: Iterable[_Cast], reason: EndReason) -> tuple[SessionSnapshot, ...]:
        casts = list(casts)
        for cast in casts:
            self._end(cast, reason)
        # Also what was replaced a moment ago: its window would be seen again when the one above it is closed.
        ending = {cast.task for cast in self._casts if cast.session.end is not None} - {asyncio.current_task()}
        if ending:
            await asyncio.wait(ending, timeout=ENDING_TIMEOUT_S)
        return tuple(cast.session.snapshot() for cast in casts)

    def _ended(self, cast: _Cast) -> None:
        self._casts.discard(cast)
        if cast.session.state is SessionState.PENDING:  # ended before its task had begun
            cast.session.move(SessionState.STOPPING)
            cast.session.move(SessionState.ENDED)
        if self._starting is cast:
            self._starting = None
        if self._on_screen is cast:
            self._on_screen = None
        self._last = last = cast.session.snapshot()
        level = log.warning if last.reason is EndReason.FAILED else log.info
        level(
            "stream_ended",
            session_id=last.session_id,
            reason=last.reason,
            code=last.error.code if last.error else None,
            message=last.error.message if last.error else None,
        )

    def _remember(self, session: Session) -> None:
        self._sessions[session.id] = session
        for old_id, old in list(self._sessions.items())[:-ENDED_KEPT]:
            if old.has_ended.is_set():
                del self._sessions[old_id]

    def _check_available(self) -> None:
        if self._closed:
            raise PlayerUnavailableError("The agent is stopping.")
        display, player = self._stage.health, self._players.health
        if not display.available:
            raise PlayerUnavailableError(display.message)
        if not player.available:
            raise PlayerUnavailableError(player.message)


def _why(end: End) -> Exception:
    if end.failure is not None:
        match end.failure.code:
            case ErrorCode.PLAYER_TIMEOUT:
                return PlayerTimeoutError(end.failure.message)
            case ErrorCode.PLAYER_UNAVAILABLE:
                return PlayerUnavailableError(end.failure.message)
            case code:
                return MediaError(code, end.failure.message)
    if end.reason is EndReason.REPLACED:
        return ReplacedError("A newer start took its place before its first frame.")
    return InvalidTransitionError(f"The stream was {end.reason} before its first frame.")
