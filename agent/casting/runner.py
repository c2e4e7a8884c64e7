"""A session and the task that keeps it going: attempts, pauses between them, interruptions, and its end."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from typing import Any

import structlog

from agent.casting.attempt import Attempt
from agent.casting.parts import SessionParts
from agent.casting.retry import PASSING, Outage, Retry, SamePlaceError
from agent.casting.session import Session
from agent.casting.source import Source
from agent.errors import (
    AgentError,
    InvalidTransitionError,
    MediaError,
    PlayerTimeoutError,
    PlayerUnavailableError,
    PlaylistError,
)
from agent.media.doors import until_open
from agent.player.base import Players
from agent.player.fallback import EngineChoice
from agent.types import EndReason, ErrorCode, Failure, MediaType, SessionState, StreamType
from agent.util.waiting import first_of

MESSAGE_AT_MOST_S = 60.0
"""A sound without a known length that ends within this was a spoken message; a longer one is a radio that broke off."""

KEPT_LOOK_S = 10.0
"""The interval between checks whether there is memory left for an unseen page."""

log = structlog.get_logger(__name__)


class SessionRunner:
    """Runs one session until it ends. The tracker suspends, resumes and ends it. Its URL was `checked`, or is to be.
    `make_room` lets go of what is on if that takes this session's place at its source, and tells whether it did."""

    def __init__(
        self,
        session: Session,
        source: Source,
        *,
        parts: SessionParts,
        make_attempt: Callable[[Session, Players, bool], Attempt],
        retry: Retry,
        checked: bool = True,
        make_room: Callable[[], Awaitable[bool]],
    ) -> None:
        self.session = session
        self.attempt: Attempt | None = None
        self._source = source
        self._engines = EngineChoice(parts.players, kind=session.request.kind)
        self._make_playback = make_attempt
        self._retry = retry
        self._check = parts.check
        self._knock_at, self._cameras = parts.knock_at, parts.cameras
        self._checked = checked
        self._make_room = make_room
        self._has_room = False
        """Room was made for it; its source may need a moment to notice."""
        self._suspended = asyncio.Event()
        self._resumed = asyncio.Event()
        self._outage = Outage(session, retry)
        self._task: asyncio.Task[None] | None = None

    @property
    def task(self) -> asyncio.Task[None]:
        assert self._task is not None, "it has begun"
        return self._task

    def begin(self, *, waiting: bool = False) -> asyncio.Task[None]:
        """Start its task; `waiting` begins underneath, to be resumed."""
        if waiting:
            self.suspend()
        self._task = asyncio.create_task(self._run(), name=f"session-{self.session.id}")
        return self._task

    def suspend(self, *, keep: bool = False) -> None:
        """Interrupt the session until it is resumed or ended. Its player ends, or goes on unseen if `keep` allows
        that."""
        self.session.move(SessionState.WAITING)
        if self.attempt is not None:
            self.attempt.interrupt(keep=keep)
        self._resumed.clear()
        self._suspended.set()

    def resume(self) -> None:
        """Take it up again where it was."""
        self.session.move(SessionState.STARTING)
        self._suspended.clear()
        self._resumed.set()

    @contextlib.contextmanager
    def commanding(self, attempt: Attempt) -> Iterator[None]:
        """Guard a command for an attempt. Raises InvalidTransitionError if it failed because its session or its player
        is over: then it has ended or is retried."""
        try:
            yield
        except (PlayerTimeoutError, PlayerUnavailableError) as e:
            hangs = isinstance(e, PlayerTimeoutError)
            if hangs and self.attempt is attempt and self.session.end is None:
                raise
            raise InvalidTransitionError(
                "The stream has just ended or failed: /status says what is on, and when it is retried."
            ) from e

    async def _run(self) -> None:
        session = self.session
        try:
            await first_of(self._keep_going(), self._source.follow())
            session.conclude(EndReason.FINISHED)
        except AgentError as e:
            session.conclude(EndReason.FAILED, e.failure)
        except asyncio.CancelledError:
            session.conclude(EndReason.SHUTDOWN)
            raise
        except Exception:
            log.exception("session_crashed", session_id=session.id)
            session.conclude(
                EndReason.FAILED,
                Failure(
                    ErrorCode.INTERNAL, "The agent failed because of a bug; its log has the details. Please report it."
                ),
            )
        finally:
            session.move(SessionState.STOPPING)
            session.move(SessionState.ENDED)

    async def _keep_going(self) -> None:
        session, source = self.session, self._source
        if session.state is SessionState.PENDING:
            session.move(SessionState.STARTING)
        while await source.is_on():
            if self._suspended.is_set():
                await self._resumed.wait()
            source.choose()
            checked, self._checked = self._checked, False
            self.attempt = attempt = self._make_playback(session, self._engines, checked)
            try:
                await self._perform(attempt)
                goes_on = source.has_moved.is_set() or attempt.interrupted or attempt.is_outdated
                if not goes_on and self._has_finished(attempt) and not session.goes_on():
                    return
            except PlaylistError as e:
                await self._read_playlist(e)
            except AgentError as e:
                if attempt.interrupted:
                    continue
                if not await source.is_on():
                    return
                await self._go_on_after(e, attempt)
            finally:
                self.attempt = None

    async def _perform(self, attempt: Attempt) -> None:
        session, untried = self.session, self._source.untried
        untried += session.playlist.has_next and not session.has_played
        url, share = session.url, 1 / (untried + 1)
        try:
            await first_of(attempt.perform(share=share), self._let_go(attempt), _wait(self._source.has_moved))
        finally:
            if attempt.was_shown:
                session.playlist.shown()
                self._engines.shown(url, attempt.engine)
                self._source.shown()

    async def _let_go(self, attempt: Attempt) -> None:
        """Return when it is interrupted; not while it is kept for its return."""
        while True:
            await self._suspended.wait()
            while attempt.is_kept and not self._resumed.is_set():
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(KEPT_LOOK_S):
                        await self._resumed.wait()
                attempt.is_kept = attempt.may_be_kept
            if not attempt.is_kept:
                return
            await attempt.take_up()

    async def _go_on_after(self, error: AgentError, attempt: Attempt) -> None:
        """Return when the next attempt may begin: with another engine, with another entry of the playlist, at another
        address, or after a pause. Raises the error of all that have tried when there shall be none.
        """
        session = self.session
        has_time = session.has_played or session.lifetime.accepted_for < self._retry.start_timeout
        if error.failure.is_full and not session.has_played and has_time and await self._make_room():
            self._has_room = True
            return
        if attempt.is_ready:
            self._cameras.failed(session.url)
            if has_time:
                log.info("camera_bypassed", session_id=session.id, code=error.failure.code, reason=str(error))
                return
        remaining = self._engines.failed(session.url, error)
        if remaining is None and has_time:
            log.info("engine_changed", session_id=session.id, code=error.failure.code, reason=str(error))
            return
        remaining = remaining or error
        if self._skip_entry(remaining):
            return
        if not attempt.was_shown:
            of_all = self._source.failed(remaining)
            if of_all is None and has_time:
                log.info("address_changed", session_id=session.id, code=remaining.failure.code, reason=str(remaining))
                return
            remaining = of_all or remaining
        await self._pause_before_retry(remaining, played_s=attempt.played_s)

    async def _read_playlist(self, error: PlaylistError) -> None:
        """Play what the list holds, as far as each entry may be played. Raises MediaError when none may and there is
        nothing else to play: a list may be an entry of another one."""
        allowed, refusal = [], ""
        for entry in error.entries:
            try:
                allowed.append(await self._check(entry))
            except AgentError as e:
                refusal = refusal or str(e)
                log.warning("entry_refused", session_id=self.session.id, url=entry, reason=str(e))
        if not allowed:
            none = MediaError(ErrorCode.MEDIA_FORBIDDEN, f"Nothing in this playlist may be played: {refusal}")
        elif not self.session.playlist.take(allowed):
            none = MediaError(ErrorCode.MEDIA_UNSUPPORTED, "The playlist nests other playlists too deeply.")
        else:
            log.info("playlist_read", session_id=self.session.id, entries=len(allowed))
            return
        if not self._skip_entry(none):
            raise none

    async def _unless_changed(self, work: Coroutine[Any, Any, None]) -> None:
        """Do it until an attempt, or the pause before it, is not the right thing any more."""
        await first_of(work, _wait(self._suspended), _wait(self._source.has_moved))

    def _has_finished(self, attempt: Attempt) -> bool:
        """Return True if the end of the media is a normal end. Live media does not end, it breaks off. Raises
        MediaError."""
        player = attempt.player
        if player is None or player.progress.stream_type is not StreamType.LIVE:
            return True
        if self.session.progress.media_type is MediaType.AUDIO and self.session.lifetime.on_for <= MESSAGE_AT_MOST_S:
            return True
        raise MediaError(
            ErrorCode.MEDIA_NETWORK, "The live stream ended: its source stopped, or closed the connection."
        )

    def _skip_entry(self, error: AgentError) -> bool:
        """Go on with the next entry of a playlist when this one cannot be played. Once it plays, what may pass is
        waited for: all of an album may be on one server."""
        session = self.session
        waits = error.failure.code in PASSING and session.has_played and not session.playlist.rotates
        if error.failure.code is ErrorCode.PAGE_LOGIN and session.playlist.leave_out():
            session.playlist.turn()
        elif waits or not session.skips_entry():
            return False
        log.warning("entry_skipped", session_id=self.session.id, code=error.failure.code, reason=str(error))
        return True

    async def _pause_before_retry(self, error: AgentError, *, played_s: float) -> None:
        """Wait before the next attempt. Raises the error when there shall be none."""
        session = self.session
        try:
            delay = self._outage.pause_after(
                error, played_s=played_s, is_awaited=self._source.is_awaited, has_room=self._has_room
            )
        except SamePlaceError as e:
            if not self._engines.comes_no_further(session.url, e):
                raise
            log.info("engine_changed", session_id=session.id, code=e.failure.code, reason=str(e))
            delay = 0.0
        knock = self._knock_at(session.url)
        if takes_none := not await knock():
            delay = max(delay, self._outage.held_s)
        session.failed_for_now(error.failure, retry_in_s=delay)
        level = log.warning if session.attempt == 2 else log.debug
        level(
            "stream_retried",
            session_id=session.id,
            attempt=session.attempt,
            in_s=round(delay, 2),
            code=error.failure.code,
            message=str(error),
        )
        if not session.has_played or session.playlist.rotates:
            session.playlist.rewind()  # none of its entries could be played yet
        rest = self._source.rest(delay)
        opens = (until_open(knock, every_s=self._outage.knock_every_s),) if takes_none else ()
        await self._unless_changed(first_of(rest, *opens))
        session.tries_again()


async def _wait(event: asyncio.Event) -> None:
    await event.wait()
