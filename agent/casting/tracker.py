"""The StreamTracker: owns what is on. It alone decides which session is seen and heard, which waits and which ends."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import structlog

from agent.casting.attempt import Attempt
from agent.casting.handover import Switch
from agent.casting.joined_source import Joined, NoStreams, Streams
from agent.casting.limits import Check, Limits, any_url
from agent.casting.runner import Retry, SessionRunner
from agent.casting.session import Session
from agent.casting.source import Address, Playable
from agent.casting.stack import Stack
from agent.casting.start_waiters import Outcomes
from agent.errors import (
    AgentError,
    InvalidTransitionError,
    PlayerTimeoutError,
    PlayerUnavailableError,
    SessionNotFoundError,
)
from agent.events.bus import Emit, EventKind, nobody
from agent.media.names import Locate, LookUp
from agent.player.base import Player, Players, PlayerSource
from agent.stage.base import Stage
from agent.types import (
    Capability,
    CentralStream,
    EndReason,
    MediaType,
    PlayerState,
    SessionChange,
    SessionId,
    SessionSnapshot,
    SessionState,
    StartRequest,
    TrackerSnapshot,
)

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
    paused: bool = False
    joined: CentralStream | None = None
    """What it had joined, as it was known."""


class StreamTracker:
    """What others ask of what is on, and what they see of it. `redact` takes the credentials out of a URL, `check`
    raises for one that may not be played, `streams` knows those of the central API; `changed` is called after every
    change of what is on, waits or ended, and `emit` is told each transition."""

    def __init__(
        self,
        *,
        players: PlayerSource,
        stage: Stage,
        limits: Limits,
        redact: Callable[[str], str],
        check: Check = any_url,
        look_up: LookUp | None = None,
        locate: Locate | None = None,
        streams: Streams | None = None,
        retry: bool = True,
        changed: Callable[[], None] = lambda: None,
        emit: Emit = nobody,
        seed: int | None = None,
    ) -> None:
        self._players = players
        self._stage = stage
        self._redact = redact
        self._check = check
        self._look_up = look_up
        self._locate = locate
        self._streams = streams or NoStreams()
        self._random = random.Random(seed)  # noqa: S311 - spreads tries over time
        self.adjust(limits, retry=retry)
        self.changed = changed
        """Called after every change; set before anything is started."""
        self._emit = emit
        self._volume = Volume()
        self._stack = Stack(ended=self._ended)
        self._switch = Switch(self._stack, switched=lambda: self.changed())
        self._outcomes = Outcomes()
        self._last: SessionSnapshot | None = None
        self._volumes: set[asyncio.Task[None]] = set()
        """Being set, for somebody who does not wait for it."""
        self._closed = False

    def adjust(self, limits: Limits, *, retry: bool) -> None:
        """From the next start on."""
        self._limits = limits
        self._retry = Retry(enabled=retry, start_timeout=limits.start_timeout, random=self._random)

    # --- requests ---

    def start(self, request: StartRequest) -> SessionId:
        """Accept a stream; it is prepared in the background and shown at its first frame.

        What is on stays on until then, and for good when this one fails; then it is replaced, or with
        `request.interrupt` it waits. A start that is still being prepared ends `replaced` at once.
        Raises PlayerUnavailableError when nothing could be shown. Of one that joins a stream of the central API
        `located` tells whether there is such a stream.
        """
        self._check_available(request)
        volume = self._volume.level if request.volume is None else request.volume
        muted = self._volume.muted if request.muted is None else request.muted
        runner = self._runner(
            Session(request, shown_url=self._redact(request.url), volume=volume, muted=muted, emit=self._emit)
        )
        self._stack.prepare(runner)
        shown = runner.session.snapshot()
        self.changed()  # first, as at the first frame and at the end: what the log tells is in the journal then
        log.info("start_accepted", session_id=shown.session_id, url=shown.url, quality=shown.quality)
        return runner.session.id

    def change(self, session_id: SessionId, change: SessionChange) -> SessionSnapshot:
        """Change duration (anew from now), volume and title of a session without touching its picture.

        Raises SessionNotFoundError, and InvalidTransitionError for another url.
        """
        runner = self._stack.find(session_id)
        if runner is None:
            raise SessionNotFoundError(f"There is no session {session_id} that is on or waits.")
        if change.url is not None and change.url != runner.session.request.url:
            raise InvalidTransitionError(
                "A session plays one url only: leave the url out to change this session, or the session_id to play "
                "the other url."
            )
        runner.session.change(change)
        self._stack.arm(runner)
        self._apply_volume(runner)
        self.changed()
        return runner.session.snapshot()

    async def first_frame(self, session_id: SessionId, timeout_s: float) -> SessionSnapshot | None:
        """Wait for the first frame of a session: its snapshot then, or None when the time is over.

        Raises what went wrong when it ended before: MediaError, PlayerTimeoutError, PlayerUnavailableError,
        ReplacedError, InvalidTransitionError when it was stopped, SessionNotFoundError for an id that is not there.
        """
        return await self._outcomes.first_frame(session_id, timeout_s)

    async def located(self, session_id: SessionId, timeout_s: float) -> bool:
        """Wait until it is known where the stream is that a session is to join; False when the time is over.

        Raises as `first_frame` does, and StreamNotFoundError, CentralUnavailableError or NotSupportedError.
        """
        return await self._outcomes.located(session_id, timeout_s)

    async def stop(
        self, session_id: SessionId | None = None, *, everything: bool = False
    ) -> tuple[SessionSnapshot, ...]:
        """End what is on top and what is being prepared; or only the session of that id, on top, being prepared or
        waiting; or everything. What it ended, as it was at its end; empty when there was nothing. The players are gone
        when this returns, and what was interrupted is on its way back."""
        stack = self._stack
        reach = stack.wanted if everything or session_id is not None else (stack.top, stack.starting)
        runners = [c for c in reach if c is not None and session_id in (None, c.session.id)]
        await stack.end_all(runners, EndReason.STOPPED)
        await self._switch.settled()  # the last picture of one that was between two attempts
        self.changed()  # also of one that cannot be ended in time
        return tuple(runner.session.snapshot() for runner in runners)

    async def pause(self, on: bool) -> SessionSnapshot:
        """Pause what is on, or let it go on. Raises InvalidTransitionError, PlayerTimeoutError."""
        runner, attempt = self._playing("pause" if on else "resume", "pause")
        before = runner.session.paused
        runner.session.pause(on)  # first: a switch that is under way looks at it
        try:
            with _told_if_over(runner, attempt):
                await attempt.pause(on)
        except AgentError:
            runner.session.pause(before)
            raise
        self.changed()
        return runner.session.snapshot()

    async def seek(self, position: float) -> SessionSnapshot:
        """Go on at `position` seconds. Raises InvalidTransitionError, PlayerTimeoutError."""
        runner, attempt = self._playing("seek", "seek")
        with _told_if_over(runner, attempt):
            await attempt.seek(position)
        runner.session.jump(position)
        self.changed()
        return runner.session.snapshot()

    async def set_volume(self, level: float | None, muted: bool | None) -> Volume:
        """Set the volume of the device, now and for what comes. A player that hangs is seen to by its own watch."""
        before = self._volume
        self._volume = Volume(before.level if level is None else level, before.muted if muted is None else muted)
        self.changed()
        self._emit(EventKind.VOLUME_CHANGED, level=self._volume.level, muted=self._volume.muted)
        runners = self._stack.wanted
        for runner in runners:
            runner.session.change(SessionChange(volume=level, muted=muted))
        players = [(runner.attempt.player, runner.session) for runner in runners if runner.attempt]
        await asyncio.gather(*(self._set_volume_of(player, session) for player, session in players if player))
        return self._volume

    async def close(self) -> None:
        """End everything, for good. Idempotent."""
        self._closed = True
        await self._stack.close()
        await self._switch.close()
        await asyncio.gather(*self._volumes, return_exceptions=True)

    # --- what others see ---

    @property
    def volume(self) -> Volume:
        return self._volume

    def snapshot(self) -> TrackerSnapshot:
        stack = [runner.session.snapshot() for runner in self._stack.runners]
        if stack and self._stage.health.covered and stack[-1].media_type is not MediaType.AUDIO:
            stack[-1] = _not_seen(stack[-1])
        top = stack[-1] if stack else None
        starting = self._stack.starting.session.snapshot() if self._stack.starting else None
        on_screen = top if top and top.session_state in (SessionState.ACTIVE, SessionState.STOPPING) else None
        return TrackerSnapshot(
            stream=starting or top,
            on_screen=on_screen,
            interrupted=tuple(reversed(stack[:-1])),
            last=self._last,
            sessions=(*stack, starting) if starting else tuple(stack),
        )

    def saved(self) -> tuple[Saved, ...]:
        """What is wanted on the screen, the bottom first; a start that has not been shown yet belongs to it."""
        return tuple(
            Saved(
                session_id=runner.session.id,
                request=runner.session.request,
                position=runner.session.course.resume_position,
                remaining=runner.session.lifetime.remaining,
                volume=Volume(runner.session.volume, runner.session.muted),
                entry=runner.session.playlist.entry,
                played=runner.session.has_played,
                paused=runner.session.paused,
                joined=runner.session.joined,
            )
            for runner in self._stack.wanted
            if runner.session.end is None
        )

    def restore(self, sessions: Sequence[Saved], volume: Volume) -> None:
        """Take up what was on before a restart, under the same ids; the last of them is the top."""
        self._volume = volume
        top = next((saved for saved in reversed(sessions) if saved.played), None)
        for saved in sessions:
            session = Session(
                saved.request,
                shown_url=self._redact(saved.request.url),
                volume=saved.volume.level,
                muted=saved.volume.muted,
                session_id=saved.session_id,
                emit=self._emit,
            )
            if saved.joined is not None:
                session.joins(saved.joined, shown_url=self._redact(saved.joined.urls[0]))
            runner = self._runner(session, checked=False)
            if saved.played:
                session.was_playing(position=saved.position, entry=saved.entry, paused=saved.paused)
                if saved.remaining is not None:
                    session.lifetime.expires_in(saved.remaining)
                self._stack.put_back(runner, waiting=saved is not top)
            else:
                self._stack.prepare(runner)
            waits = saved.played and saved is not top
            log.info("session_restored", session_id=session.id, url=session.snapshot().url, waiting=waits)

    def expire_in(self, session_id: SessionId, seconds: float) -> None:
        """Correct when a session ends by itself: the clock was wrong before. Unknown ids are passed over."""
        runner = self._stack.find(session_id)
        if runner is not None and not runner.session.lifetime.was_extended:
            runner.session.lifetime.expires_in(seconds)
            self._stack.arm(runner)

    # --- beginnings and ends ---

    def _runner(self, session: Session, *, checked: bool = True) -> SessionRunner:
        def attempt(session: Session, players: Players, checked: bool) -> Attempt:
            return Attempt(
                session,
                players=players,
                stage=self._stage,
                limits=self._limits,
                check=any_url if checked else self._check,
                look_up=self._look_up,
                locate=self._locate,
                switch=self._switch.take_screen,
                release=self._switch.release,
                make_room=lambda: self._stack.make_room(session),
            )

        self._outcomes.remember(session)
        return SessionRunner(
            session,
            self._playable(session),
            players=self._players,
            make_attempt=attempt,
            retry=self._retry,
            check=self._check,
            checked=checked and session.request.join is None,
            failed=lambda: self.changed(),
            make_room=lambda: self._stack.make_room(session),
        )

    def _playable(self, session: Session) -> Playable:
        if session.request.join is None:
            return Address()
        return Joined(
            session,
            session.request.join,
            streams=self._streams,
            players=self._players,
            check=self._check,
            redact=self._redact,
            changed=lambda: self.changed(),
        )

    def _ended(self, runner: SessionRunner, was_top: bool) -> None:
        self._last = last = runner.session.snapshot()
        if was_top or self._stack.starting is None:  # it may have made room for a start that has failed
            self._switch.come_back()
        self.changed()
        # Told here and not by the session: followers are shown what is on then, without it.
        self._emit(
            EventKind.SESSION_ENDED,
            last.session_id,
            reason=last.reason,
            code=last.error.code if last.error else None,
            pictures=last.frames_displayed,
        )
        level = log.warning if last.reason is EndReason.FAILED else log.info
        level(
            "stream_ended",
            session_id=last.session_id,
            reason=last.reason,
            code=last.error.code if last.error else None,
            message=last.error.message if last.error else None,
        )

    # --- helpers ---

    def _playing(self, what: str, capability: str) -> tuple[SessionRunner, Attempt]:
        runner = self._stack.top
        attempt = runner.attempt if runner else None
        if runner is None or attempt is None or runner.session.state is not SessionState.ACTIVE:
            raise InvalidTransitionError(f"Nothing is on that could {what}.")
        if runner.session.snapshot().capabilities[capability] is not Capability.AVAILABLE:
            raise InvalidTransitionError(f"This stream cannot {what}.")
        return runner, attempt

    def _apply_volume(self, runner: SessionRunner) -> None:
        player = runner.attempt.player if runner.attempt else None
        if player is not None:
            task = asyncio.create_task(self._set_volume_of(player, runner.session), name=f"volume-{runner.session.id}")
            self._volumes.add(task)
            task.add_done_callback(self._volumes.discard)

    async def _set_volume_of(self, player: Player, session: Session) -> None:
        try:
            await player.set_volume(session.volume, session.muted)
        except (PlayerTimeoutError, PlayerUnavailableError) as e:
            log.warning("volume_change_failed", session_id=session.id, reason=str(e))

    def _check_available(self, request: StartRequest) -> None:
        if self._closed:
            raise PlayerUnavailableError("The agent is stopping.")
        if not (display := self._stage.health).available:
            raise PlayerUnavailableError(display.message)
        if request.join is None:
            self._players.check(request.url)


def _not_seen(shown: SessionSnapshot) -> SessionSnapshot:
    return replace(shown, state=PlayerState.COVERED) if shown.state is PlayerState.PLAYING else shown


@contextlib.contextmanager
def _told_if_over(runner: SessionRunner, attempt: Attempt) -> Iterator[None]:
    """Around a command. Raises InvalidTransitionError where it failed because what it was for is over, or its player
    is: then it has ended or is taken up again."""
    try:
        yield
    except (PlayerTimeoutError, PlayerUnavailableError) as e:
        hangs = isinstance(e, PlayerTimeoutError)
        if hangs and runner.attempt is attempt and runner.session.end is None:
            raise
        raise InvalidTransitionError(
            "What was on has ended or broken off just now: /status says what is on, and when it is tried again."
        ) from e
