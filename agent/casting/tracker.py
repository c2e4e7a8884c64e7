"""The StreamTracker: owns what is on. It alone decides which session is seen and heard, which waits and which ends."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

import structlog

from agent.casting.attempt import Attempt
from agent.casting.handover import Handover
from agent.casting.limits import Limits
from agent.casting.loudness import Loudness
from agent.casting.parts import SessionParts
from agent.casting.runner import SessionRunner
from agent.casting.runners import Runners
from agent.casting.saved import Saved, Volume, saved_of
from agent.casting.stack import Stack
from agent.casting.start_waiters import StartWaiters
from agent.errors import (
    AgentError,
    InvalidTransitionError,
    PlayerUnavailableError,
    SessionNotFoundError,
)
from agent.events.bus import Emit, nobody
from agent.snapshot import SessionSnapshot, TrackerSnapshot
from agent.types import (
    Capability,
    EndReason,
    MediaType,
    PlayerState,
    SessionChange,
    SessionId,
    SessionState,
    StartRequest,
)
from cast_wire.kinds import EventKind

log = structlog.get_logger(__name__)


class StreamTracker:
    """The interface to the sessions, and the view of them. `emit` receives each transition before it is logged or
    answered."""

    def __init__(
        self,
        parts: SessionParts,
        *,
        limits: Limits,
        retry: bool = True,
        emit: Emit = nobody,
        seed: int | None = None,
    ) -> None:
        self._parts = parts
        self._emit = emit
        self._loudness = Loudness()
        self._stack = Stack(ended=self._ended)
        self._handover = Handover(self._stack, stage=parts.stage)
        self._waiters = StartWaiters()
        self._runners = Runners(
            parts,
            stack=self._stack,
            handover=self._handover,
            emit=self._tell,
            random=random.Random(seed),  # noqa: S311 - spreads tries over time
        )
        self.adjust(limits, retry=retry)
        self._last: SessionSnapshot | None = None
        self._closed = False

    def adjust(self, limits: Limits, *, retry: bool) -> None:
        """Change the limits, from the next start on."""
        self._runners.adjust(limits, retry=retry)

    # --- requests ---

    def start(self, request: StartRequest) -> SessionId:
        """Accept a stream; it is prepared in the background and shown at its first frame.

        The current stream goes on until then, and for good when this one fails. At the first frame it is replaced, or
        with `request.interrupt` it waits. A start that is still being prepared ends `replaced` at once.
        Raises PlayerUnavailableError when nothing could be shown. Of one that joins a stream of the central API
        `located` tells whether there is such a stream.
        """
        self._check_available(request)
        runner = self._runners.make(request, self._loudness.of(request))
        self._waiters.remember(runner.session)
        self._stack.prepare(runner)
        shown = runner.session.snapshot()
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
        self._loudness.apply(runner)
        return runner.session.snapshot()

    async def first_frame(self, session_id: SessionId, timeout_s: float) -> SessionSnapshot | None:
        """Wait for the first frame of a session: its snapshot then, or None when the time is over.

        Raises what went wrong when it ended before: MediaError, PlayerTimeoutError, PlayerUnavailableError,
        ReplacedError, InvalidTransitionError when it was stopped, SessionNotFoundError for an id that is not there.
        """
        return await self._waiters.first_frame(session_id, timeout_s)

    async def located(self, session_id: SessionId, timeout_s: float) -> bool:
        """Wait until it is known where the stream is that a session is to join; False when the time is over.

        Raises as `first_frame` does, and StreamNotFoundError, CentralUnavailableError or NotSupportedError.
        """
        return await self._waiters.located(session_id, timeout_s)

    async def stop(
        self, session_id: SessionId | None = None, *, everything: bool = False, picture_stays_s: float = 0.0
    ) -> tuple[SessionSnapshot, ...]:
        """End what is on top and what is being prepared; or only the session of that id, on top, being prepared or
        waiting; or everything. What it ended, as it was at its end; empty when there was nothing. The players are gone
        when this returns, and what was interrupted is on its way back. `picture_stays_s` as in Handover.lingering."""
        stack = self._stack
        with self._handover.lingering(picture_stays_s):
            reach = stack.wanted if everything or session_id is not None else (stack.top, stack.starting)
            runners = [c for c in reach if c is not None and session_id in (None, c.session.id)]
            await stack.end_all(runners, EndReason.STOPPED)
            await self._handover.settled()  # the last picture of one that was between two attempts
        return tuple(runner.session.snapshot() for runner in runners)

    def keep_picture(self, seconds: float) -> None:
        """Have the picture that stays after a stop stay for `seconds` from now."""
        self._handover.keep_picture(seconds)

    async def pause(self, on: bool) -> SessionSnapshot:
        """Pause what is on, or let it go on. Raises InvalidTransitionError, PlayerTimeoutError."""
        runner, attempt = self._playing("pause" if on else "resume", "pause")
        before = runner.session.paused
        runner.session.pause(on)  # first: a handover that is under way looks at it
        try:
            with runner.commanding(attempt):
                await attempt.pause(on)
        except AgentError:
            runner.session.pause(before)
            raise
        return runner.session.snapshot()

    async def seek(self, position: float) -> SessionSnapshot:
        """Go on at `position` seconds. Raises InvalidTransitionError, PlayerTimeoutError."""
        runner, attempt = self._playing("seek", "seek")
        with runner.commanding(attempt):
            await attempt.seek(position)
        runner.session.jump(position)
        return runner.session.snapshot()

    def reload(self) -> SessionSnapshot:
        """Load the current page again; it stays until the new one has painted. Raises InvalidTransitionError."""
        runner, attempt = self._playing("be reloaded", "snapshot")
        if runner.session.progress.media_type is not MediaType.WEB:
            raise InvalidTransitionError("Only a web page can be reloaded, and this is none.")
        attempt.renew()
        return runner.session.snapshot()

    async def set_volume(self, level: float | None, muted: bool | None) -> Volume:
        """Set the volume of the device, now and for what comes. A player that hangs is seen to by its own watch."""
        self._loudness.change(level, muted)
        self._tell(EventKind.VOLUME_CHANGED, level=self.volume.level, muted=self.volume.muted)
        await self._loudness.set_all(self._stack.wanted, level, muted)
        return self.volume

    async def close(self) -> None:
        """End everything, for good. Idempotent."""
        self._closed = True
        await self._stack.close()
        await self._handover.close()
        await self._loudness.close()

    # --- what others see ---

    @property
    def volume(self) -> Volume:
        return self._loudness.device

    @property
    def black_s(self) -> float:
        return self._handover.black_time.seconds

    def display_changed(self) -> None:
        """The display came or went, and the picture with it."""
        self._handover.black_time.look()

    def snapshot(self) -> TrackerSnapshot:
        stack = [runner.session.snapshot() for runner in self._stack.runners]
        if stack and self._parts.stage.health.covered and stack[-1].media_type is not MediaType.AUDIO:
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
        """The sessions to restore, the bottom first, including a start that has not been shown yet."""
        return tuple(saved_of(runner.session) for runner in self._stack.wanted if runner.session.end is None)

    def restore(self, sessions: Sequence[Saved], volume: Volume) -> None:
        """Restore the sessions from before a restart under the same ids; the last of them is the top."""
        self._loudness.device = volume
        top = next((saved for saved in reversed(sessions) if saved.played), None)
        for saved in sessions:
            runner = self._runners.take_up(saved)
            self._waiters.remember(runner.session)
            if saved.played:
                self._stack.put_back(runner, waiting=saved is not top)
            else:
                self._stack.prepare(runner)
            waits = saved.played and saved is not top
            url = runner.session.snapshot().url
            log.info("session_restored", session_id=saved.session_id, url=url, waiting=waits)

    def expire_in(self, session_id: SessionId, seconds: float) -> None:
        """Correct the end of a session after the clock was set. Unknown ids are ignored."""
        runner = self._stack.find(session_id)
        if runner is not None and not runner.session.lifetime.was_extended:
            runner.session.lifetime.expires_in(seconds)
            self._stack.arm(runner)

    # --- beginnings and ends ---

    def _ended(self, runner: SessionRunner, was_top: bool) -> None:
        self._last = last = runner.session.snapshot()
        if was_top or self._stack.starting is None:  # it may have made room for a start that has failed
            self._handover.come_back()
        # Told here and not by the session: followers then see the state without it.
        self._tell(
            EventKind.SESSION_ENDED,
            last.session_id,
            reason=last.reason,
            code=last.error.code if last.error else None,
            message=last.error.message if last.error else None,
            position=last.position,
            **(runner.session.shown.told if runner.session.has_played else {}),
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

    def _tell(self, kind: EventKind, session_id: SessionId | None = None, **data: str | float | bool | None) -> None:
        self._emit(kind, session_id, **data)
        self._handover.black_time.look()

    def _playing(self, what: str, capability: str) -> tuple[SessionRunner, Attempt]:
        runner = self._stack.top
        attempt = runner.attempt if runner else None
        if runner is None or attempt is None or runner.session.state is not SessionState.ACTIVE:
            raise InvalidTransitionError(f"Nothing is on that could {what}.")
        if runner.session.snapshot().capabilities[capability] is not Capability.AVAILABLE:
            raise InvalidTransitionError(f"This stream cannot {what}.")
        return runner, attempt

    def _check_available(self, request: StartRequest) -> None:
        if self._closed:
            raise PlayerUnavailableError("The agent is stopping.")
        if not (display := self._parts.stage.health).available:
            raise PlayerUnavailableError(display.message)
        if request.join is None:
            self._parts.players.check(request.url, kind=request.kind)


def _not_seen(shown: SessionSnapshot) -> SessionSnapshot:
    return replace(shown, state=PlayerState.COVERED) if shown.state is PlayerState.PLAYING else shown
