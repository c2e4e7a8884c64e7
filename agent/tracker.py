"""The StreamTracker: owns what is on. It alone decides which session is seen and heard, which waits and which ends."""

from __future__ import annotations

import asyncio
import random
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import structlog

from agent.cast import Cast, Retry
from agent.errors import (
    InvalidTransitionError,
    MediaError,
    PlayerTimeoutError,
    PlayerUnavailableError,
    ReplacedError,
    SessionNotFoundError,
)
from agent.playback import Limits, Playback
from agent.player.base import Player, PlayerSource
from agent.session import End, Session
from agent.stage.base import Stage, Window
from agent.types import (
    Capability,
    EndReason,
    ErrorCode,
    MediaType,
    SessionChange,
    SessionId,
    SessionSnapshot,
    SessionState,
    StartRequest,
    TrackerSnapshot,
)

ENDING_TIMEOUT_S = 4.0
"""How long a stop waits for players to be gone: 20 ms is usual; 2 s when a process cannot be reaped, and as much
again for a display that hangs. The session's own task goes on with it."""

RETURN_TIMEOUT_S = 5.0
"""How long the last picture of what has ended stays, while what it interrupted is opened again."""

WAITING_LIMIT = 8
"""Interrupted sessions. A doorbell that rings once more takes the place of the second oldest, never of the film at
the bottom and never of what was on a moment ago."""

ENDED_KEPT = 64
"""Ended sessions that somebody who waits for a first frame can still ask about."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Volume:
    """The volume of the device: what a start gets that names none."""

    level: float = 1.0
    muted: bool = False


@dataclass(frozen=True, slots=True)
class Saved:
    """One session as it is kept over a restart."""

    session_id: SessionId
    request: StartRequest
    position: float
    remaining: float | None
    """Seconds of its duration that are left."""
    volume: Volume
    entry: int = 0
    """Of the playlist that it plays, counted from 0; the position is inside it."""
    played: bool = True
    """Whether it had a first frame; if not it is a start still, above what is on."""


class StreamTracker:
    """A stack of sessions: the top is on the screen, what is below was interrupted and waits. Beside it at most one
    start is being prepared; of several the last accepted wins. `redact` takes the credentials out of a URL, `check`
    raises for one that may not be played; `changed`
    is called after every change of what is on, waits or ended."""

    def __init__(
        self,
        *,
        players: PlayerSource,
        stage: Stage,
        limits: Limits,
        redact: Callable[[str], str],
        check: Callable[[str], str] = lambda url: url,
        retry: bool = True,
        changed: Callable[[], None] = lambda: None,
        seed: int | None = None,
    ) -> None:
        self._players = players
        self._stage = stage
        self._limits = limits
        self._redact = redact
        self._check = check
        self._retry = Retry(enabled=retry, start_timeout=limits.start_timeout, random=random.Random(seed))  # noqa: S311
        self.changed = changed
        """Called after every change; set before anything is started."""
        self._volume = Volume()
        self._starting: Cast | None = None
        self._stack: list[Cast] = []
        self._casts: set[Cast] = set()
        self._timers: dict[Cast, asyncio.TimerHandle] = {}
        self._sessions: OrderedDict[SessionId, Session] = OrderedDict()
        self._last: SessionSnapshot | None = None
        self._switching = asyncio.Lock()
        self._left: Window | None = None
        """The window of what has gone, with its last picture, until something takes its place."""
        self._left_timer: asyncio.TimerHandle | None = None
        self._closing: set[asyncio.Task[None]] = set()
        self._closed = False

    # --- requests ---

    def start(self, request: StartRequest) -> SessionId:
        """Accept a stream; it is prepared in the background and shown at its first frame.

        What is on stays on until then, and for good when this one fails; then it is replaced, or with
        `request.interrupt` it waits. A start that is still being prepared ends `replaced` at once.
        Raises PlayerUnavailableError when nothing could be shown.
        """
        self._check_available(request.url)
        if self._starting is not None:
            self._end(self._starting, EndReason.REPLACED)
        volume = self._volume.level if request.volume is None else request.volume
        muted = self._volume.muted if request.muted is None else request.muted
        self._starting = cast = self._new_cast(
            Session(request, shown_url=self._redact(request.url), volume=volume, muted=muted)
        )
        self._begin(cast)
        shown = cast.session.snapshot()
        log.info("start_accepted", session_id=shown.session_id, url=shown.url, quality=shown.quality)
        self.changed()
        return cast.session.id

    def change(self, session_id: SessionId, change: SessionChange) -> SessionSnapshot:
        """Change duration (anew from now), volume and title of a session without touching its picture.

        Raises SessionNotFoundError, and InvalidTransitionError for another url.
        """
        cast = next((c for c in (*self._stack, self._starting) if c and c.session.id == session_id), None)
        if cast is None or cast.session.end is not None:
            raise SessionNotFoundError(f"There is no session {session_id} that is on or waits.")
        if change.url is not None and change.url != cast.session.request.url:
            raise InvalidTransitionError(
                "A session plays one url only: leave the url out to change this session, or the session_id to play "
                "the other url."
            )
        cast.session.change(change)
        self._arm(cast)
        self._apply_volume(cast)
        self.changed()
        return cast.session.snapshot()

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

    async def stop(
        self, session_id: SessionId | None = None, *, everything: bool = False
    ) -> tuple[SessionSnapshot, ...]:
        """End what is on top and what is being prepared; or only the session of that id, on top, being prepared or
        waiting; or everything. What it ended, as it was at its end; empty when there was nothing. The players are gone
        when this returns, and what was interrupted is on its way back."""
        top = self._stack[-1:]
        reach = self._stack if everything or session_id is not None else top
        casts = [c for c in (*reach, self._starting) if c is not None and session_id in (None, c.session.id)]
        return await self._end_all(casts, EndReason.STOPPED)

    async def pause(self, on: bool) -> SessionSnapshot:
        """Pause what is on, or let it go on. Raises InvalidTransitionError, PlayerTimeoutError."""
        cast, player = self._playing("pause" if on else "resume", "pause")
        await player.pause(on)
        cast.session.pause(on)
        self.changed()
        return cast.session.snapshot()

    async def seek(self, position: float) -> SessionSnapshot:
        """Go on at `position` seconds. Raises InvalidTransitionError, PlayerTimeoutError."""
        cast, player = self._playing("seek", "seek")
        await player.seek(position)
        cast.session.jump()
        self.changed()
        return cast.session.snapshot()

    async def set_volume(self, level: float | None, muted: bool | None) -> Volume:
        """Set the volume of the device, now and for what comes. A player that hangs is seen to by its own watch."""
        before = self._volume
        self._volume = Volume(before.level if level is None else level, before.muted if muted is None else muted)
        self.changed()
        casts = [*self._stack, *([self._starting] if self._starting else [])]
        for cast in casts:
            cast.session.change(SessionChange(volume=level, muted=muted))
        players = [(cast.playback.player, cast.session) for cast in casts if cast.playback]
        await asyncio.gather(*(self._set_volume_of(player, session) for player, session in players if player))
        return self._volume

    async def close(self) -> None:
        """End everything, for good. Idempotent."""
        self._closed = True
        await self._end_all(list(self._casts), EndReason.SHUTDOWN)
        self._leave(None)
        await asyncio.gather(*self._closing, return_exceptions=True)

    # --- what others see ---

    @property
    def volume(self) -> Volume:
        return self._volume

    def snapshot(self) -> TrackerSnapshot:
        stack = [cast.session.snapshot() for cast in self._stack]
        top = stack[-1] if stack else None
        starting = self._starting.session.snapshot() if self._starting else None
        on_screen = top if top and top.session_state in (SessionState.ACTIVE, SessionState.STOPPING) else None
        return TrackerSnapshot(
            stream=starting or top, on_screen=on_screen, interrupted=tuple(reversed(stack[:-1])), last=self._last
        )

    def saved(self) -> tuple[Saved, ...]:
        """What is wanted on the screen, the bottom first; a start that has not been shown yet belongs to it."""
        starting = [] if self._starting is None else [self._starting]
        return tuple(
            Saved(
                session_id=cast.session.id,
                request=cast.session.request,
                position=cast.session.resume_position,
                remaining=cast.session.remaining,
                volume=Volume(cast.session.volume, cast.session.muted),
                entry=cast.session.entry,
                played=cast.session.has_played,
            )
            for cast in (*self._stack, *starting)
            if cast.session.end is None
        )

    def restore(self, sessions: Sequence[Saved], volume: Volume) -> None:
        """Take up what was on before a restart, under the same ids; the last of them is the top."""
        self._volume = volume
        loop = asyncio.get_running_loop()
        top = next((saved for saved in reversed(sessions) if saved.played), None)
        for saved in sessions:
            session = Session(
                saved.request,
                shown_url=self._redact(saved.request.url),
                volume=saved.volume.level,
                muted=saved.volume.muted,
                session_id=saved.session_id,
            )
            cast = self._new_cast(session)
            if saved.played:
                session.was_playing(position=saved.position, entry=saved.entry)
                if saved.remaining is not None:
                    session.deadline = loop.time() + saved.remaining
                self._stack.append(cast)
            else:
                self._starting = cast
            self._begin(cast, waiting=saved.played and saved is not top)
            self._arm(cast)
            log.info("session_restored", session_id=session.id, url=self._redact(saved.request.url))

    def expire_in(self, session_id: SessionId, seconds: float) -> None:
        """Correct when a session ends by itself: the clock was wrong before. Unknown ids are passed over."""
        cast = next((c for c in self._casts if c.session.id == session_id), None)
        if cast is not None and cast.session.end is None and not cast.session.was_extended:
            cast.session.deadline = asyncio.get_running_loop().time() + max(0.0, seconds)
            self._arm(cast)

    # --- the switch ---

    async def _take_screen(self, playback: Playback) -> None:
        """Called by a playback whose first frame is ready. Without a gap: the new one is raised over the old one,
        then the old one goes, then the new one is given the sound, so that a device that cannot be shared is free.
        """
        async with self._switching:
            if playback.session.media_type is MediaType.AUDIO:
                await self._switch_to_audio(playback)
            else:
                await playback.show()
                await self._now_on_screen(playback)
                await playback.set_sound(True)
            if playback.session.paused and playback.player is not None:  # it was, before it was taken up again
                await playback.player.pause(True)

    async def _switch_to_audio(self, playback: Playback) -> None:
        """Only what is heard proves that audio plays, and only one of two may hold the device: so the old one lends
        the sound, and gets it back when nothing is heard of the new one."""
        old = self._heard_now(playback)
        if old is not None and not await self._lend_sound(old):
            old = None
        try:
            await playback.set_sound(True)
            await playback.first_sound()
        except BaseException:
            if old is not None and old.playback is not None and old in self._stack[-1:]:
                await asyncio.shield(self._give_back_sound(old))
            raise
        await self._now_on_screen(playback)

    def _heard_now(self, playback: Playback) -> Cast | None:
        top = self._stack[-1] if self._stack else None
        if top is None or top.session.state is not SessionState.ACTIVE or top.playback in (None, playback):
            return None
        return top

    async def _lend_sound(self, cast: Cast) -> bool:
        """Silence it. One that cannot be silenced is broken, and its process is what holds the device: it ends."""
        try:
            if cast.playback is not None:
                await cast.playback.set_sound(False)
        except (PlayerTimeoutError, PlayerUnavailableError) as e:
            log.warning("sound_not_lent", session_id=cast.session.id, reason=str(e))
            await self._end_all([cast], EndReason.REPLACED)
            return False
        return True

    async def _give_back_sound(self, cast: Cast) -> None:
        try:
            if cast.playback is not None:
                await cast.playback.set_sound(True)
        except (PlayerTimeoutError, PlayerUnavailableError) as e:  # it hangs or died: its own task sees to it
            log.warning("sound_not_returned", session_id=cast.session.id, reason=str(e))

    async def _now_on_screen(self, playback: Playback) -> None:
        cast, gone = self._enter(playback)
        returned = cast.session.has_played
        playback.is_on()
        cast.session.first_frame()
        self._arm(cast)
        shown = cast.session.snapshot()
        log.info(
            "first_frame",
            session_id=shown.session_id,
            seconds=None if returned else round(shown.time_to_first_frame or 0.0, 3),
            media_type=shown.media_type,
            again=returned,
        )
        self._leave(None)
        await _gone(gone)
        self.changed()

    def _enter(self, playback: Playback) -> tuple[Cast, list[asyncio.Future[None]]]:
        """Put it on top of the stack; with what has to be gone before it is given the sound."""
        starting, top = self._starting, self._stack[-1] if self._stack else None
        if top is not None and top.playback is playback:  # it comes back after a failure or an interruption
            return top, []
        if starting is None or starting.playback is not playback:
            raise ReplacedError("Something newer took its place just before its first frame.")
        self._starting = None
        leaving: list[asyncio.Future[None]] = []
        if not starting.session.request.interrupt:
            for old in self._stack:
                leaving.append(old.task)
                self._end(old, EndReason.REPLACED)
            self._stack = []
        elif top is not None:
            if top.playback is not None:
                leaving.append(top.playback.over)
            if top.session.end is None:
                top.suspend()
            if len(self._stack) > WAITING_LIMIT:
                self._end(self._stack.pop(1), EndReason.REPLACED)
        self._stack.append(starting)
        return starting, leaving

    async def _release(self, playback: Playback, window: Window) -> None:
        """The window of a playback that is over. It stays while something is to take its place."""
        top = self._stack[-1] if self._stack else None
        if top is None or top.playback is not playback or not playback.was_shown:
            await window.close()  # nobody has seen it, or something is over it
        elif top.session.end is None:
            self._leave(window, for_s=None)  # it is taken up again
        elif len(self._stack) > 1 and self._stack[-2].session.end is None and not self._closed:
            self._leave(window, for_s=RETURN_TIMEOUT_S)
        else:
            await window.close()

    def _leave(self, window: Window | None, *, for_s: float | None = None) -> None:
        """Leave this window on the screen, and close the one that was left before."""
        before, self._left = self._left, window
        if self._left_timer is not None:
            self._left_timer.cancel()
            self._left_timer = None
        if before is not None:
            task = asyncio.create_task(before.close(), name="window-close")
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)
        if for_s is not None:
            self._left_timer = asyncio.get_running_loop().call_later(for_s, self._leave, None)

    # --- beginnings and ends ---

    def _new_cast(self, session: Session) -> Cast:
        def playback(session: Session) -> Playback:
            return Playback(
                session,
                players=self._players,
                stage=self._stage,
                limits=self._limits,
                switch=self._take_screen,
                release=self._release,
            )

        return Cast(session, make_playback=playback, retry=self._retry, check=self._check)

    def _begin(self, cast: Cast, *, waiting: bool = False) -> None:
        self._casts.add(cast)
        self._remember(cast.session)
        cast.begin(waiting=waiting).add_done_callback(lambda _: self._ended(cast))

    def _arm(self, cast: Cast) -> None:
        """Have it end when its duration is over, also while it waits."""
        timer = self._timers.pop(cast, None)
        if timer is not None:
            timer.cancel()
        if cast.session.deadline is not None and cast.session.end is None:
            loop = asyncio.get_running_loop()
            self._timers[cast] = loop.call_at(cast.session.deadline, self._end, cast, EndReason.EXPIRED)

    def _end(self, cast: Cast, reason: EndReason) -> None:
        if cast.session.conclude(reason):
            cast.task.cancel()
        if self._starting is cast:
            self._starting = None

    async def _end_all(self, casts: Iterable[Cast], reason: EndReason) -> tuple[SessionSnapshot, ...]:
        casts = list(casts)
        for cast in casts:
            self._end(cast, reason)
        # Also what was replaced a moment ago: its window would be seen again when the one above it is closed.
        us = asyncio.current_task()
        if ending := [c.task for c in self._casts if c.session.end is not None and c.task is not us]:
            await asyncio.wait(ending, timeout=ENDING_TIMEOUT_S)
        if self._closing:  # the last picture of one that was between two attempts
            await asyncio.wait(self._closing, timeout=ENDING_TIMEOUT_S)
        return tuple(cast.session.snapshot() for cast in casts)

    def _ended(self, cast: Cast) -> None:
        self._casts.discard(cast)
        if (timer := self._timers.pop(cast, None)) is not None:
            timer.cancel()
        session = cast.session
        if session.state in (SessionState.PENDING, SessionState.WAITING):  # ended before its task had begun
            session.conclude(EndReason.SHUTDOWN)
            session.move(SessionState.STOPPING)
            session.move(SessionState.ENDED)
        if self._starting is cast:
            self._starting = None
        was_top = self._stack[-1:] == [cast]
        if cast in self._stack:
            self._stack.remove(cast)
        self._last = last = session.snapshot()
        level = log.warning if last.reason is EndReason.FAILED else log.info
        level(
            "stream_ended",
            session_id=last.session_id,
            reason=last.reason,
            code=last.error.code if last.error else None,
            message=last.error.message if last.error else None,
        )
        if was_top:
            self._come_back()
        self.changed()

    def _come_back(self) -> None:
        """What is on top of the stack now was interrupted: open it again."""
        while self._stack and self._stack[-1].session.end is not None:
            self._stack.pop()  # it ended in the same moment; its own task sees to the rest
        if self._closed or not self._stack:
            self._leave(None)
        elif self._stack[-1].session.state is SessionState.WAITING:
            self._stack[-1].resume()
            if self._left is not None:
                self._leave_at_most(RETURN_TIMEOUT_S)

    def _leave_at_most(self, seconds: float) -> None:
        if self._left_timer is None:
            self._left_timer = asyncio.get_running_loop().call_later(seconds, self._leave, None)

    def _remember(self, session: Session) -> None:
        self._sessions[session.id] = session
        for old_id, old in list(self._sessions.items())[:-ENDED_KEPT]:
            if old.has_ended.is_set():
                del self._sessions[old_id]

    # --- helpers ---

    def _playing(self, what: str, capability: str) -> tuple[Cast, Player]:
        cast = self._stack[-1] if self._stack else None
        player = cast.playback.player if cast and cast.playback else None
        if cast is None or player is None or cast.session.state is not SessionState.ACTIVE:
            raise InvalidTransitionError(f"Nothing is on that could {what}.")
        if cast.session.snapshot().capabilities[capability] is not Capability.AVAILABLE:
            raise InvalidTransitionError(f"This stream cannot {what}.")
        return cast, player

    def _apply_volume(self, cast: Cast) -> None:
        player = cast.playback.player if cast.playback else None
        if player is not None:
            task = asyncio.create_task(self._set_volume_of(player, cast.session), name=f"volume-{cast.session.id}")
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)

    async def _set_volume_of(self, player: Player, session: Session) -> None:
        try:
            await player.set_volume(session.volume, session.muted)
        except (PlayerTimeoutError, PlayerUnavailableError) as e:
            log.warning("volume_not_set", session_id=session.id, reason=str(e))

    def _check_available(self, url: str) -> None:
        if self._closed:
            raise PlayerUnavailableError("The agent is stopping.")
        if not (display := self._stage.health).available:
            raise PlayerUnavailableError(display.message)
        self._players.check(url)


async def _gone(leaving: list[asyncio.Future[None]]) -> None:
    if leaving:
        await asyncio.wait(leaving, timeout=ENDING_TIMEOUT_S)


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
