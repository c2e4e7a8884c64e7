"""The handover: one attempt becomes what is seen and heard, without black in between and without doubled sound."""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import Iterator

import structlog

from agent.casting.attempt import Attempt
from agent.casting.black_time import BlackTime
from agent.casting.last_frame import LastFrame
from agent.casting.runner import SessionRunner
from agent.casting.stack import ENDING_TIMEOUT_S, Stack
from agent.casting.watching import first_sound
from agent.errors import PlayerTimeoutError, PlayerUnavailableError
from agent.player.base import KillReason
from agent.stage.base import Stage, Window
from agent.types import EndReason, MediaType, SessionState

RETURN_TIMEOUT_S = 5.0
"""Seconds for which the last picture of an ended stream stays while the stream that it interrupted is opened again."""

log = structlog.get_logger(__name__)


class Handover:
    """Makes the top of the stack seen and heard, one handover at a time."""

    def __init__(self, stack: Stack, *, stage: Stage) -> None:
        self._stack = stack
        self._handing_over = asyncio.Lock()
        self._heard: Attempt | None = None
        """The one that was given the sound last; it may have ended since."""
        self.black_time = BlackTime(has_picture=lambda: stage.has_picture, wants_picture=lambda: stack.wants_picture)
        self._last_frame = LastFrame(closed=self.black_time.look)
        self._now = asyncio.get_running_loop().time
        self._lingers_until = self._now()
        """Loop time until which the picture of what ends stays; without an end while a stop is on its way."""

    async def take_screen(self, attempt: Attempt) -> None:
        """Called by an attempt whose first frame is ready. Without a gap: the new one is raised over the old one,
        then the old one goes, then the new one is given the sound, so that a device that cannot be shared is free.
        """
        async with self._handing_over:
            session = attempt.session
            if session.progress.media_type is MediaType.AUDIO and not session.paused:
                await self._hand_over_to_audio(attempt)
            else:
                await attempt.show()
                if self._heard is not None and self._heard.has_sound and not session.paused:
                    await attempt.prepare_sound()
                await self._now_on_screen(attempt)
                if not session.paused:
                    await self._give_sound(attempt)
            if session.paused:  # it was paused before the retry: it gets the sound when it resumes
                await attempt.pause(True)

    async def succeed(self, attempt: Attempt) -> None:
        """Replace the player of one attempt: its successor is raised over it, and then it goes."""
        async with self._handing_over:
            await attempt.succeed(seen=attempt.session.state is SessionState.ACTIVE)

    async def release(self, attempt: Attempt, window: Window) -> None:
        """The window of an attempt that is over. It stays while something is to take its place."""
        top, below = self._stack.top, self._stack.below
        if top is None or top.attempt is not attempt or not attempt.was_shown:
            await window.close()  # it was not seen, or something covers it
        elif top.session.end is None or (below is not None and below.session.end is None):
            self._last_frame.keep(window)  # it is retried, or the session that it interrupted resumes
        elif self._lingers_until > self._now():
            self._last_frame.keep(window)
            self._close_later()
        else:
            await window.close()

    @contextlib.contextmanager
    def lingering(self, seconds: float) -> Iterator[None]:
        """Keep the picture of what ends within, and for `seconds` after it, however long it takes; and where a start is
        being prepared by then, until that is shown or has failed. With 0.0 nothing stays, and a picture that stayed
        goes."""
        self._lingers_until = math.inf if seconds else self._now()
        if not seconds and self._stack.top is None and self._stack.starting is None:
            self._last_frame.close()
        try:
            yield
        finally:
            self.keep_picture(seconds)

    def keep_picture(self, seconds: float) -> None:
        """Have a picture that stays after a stop stay for `seconds` from now."""
        if self._lingers_until > self._now():
            self._lingers_until = self._now() + seconds
            if self._stack.top is None:
                self._last_frame.forget_time()
                self._close_later()

    def come_back(self) -> None:
        """Open the session that is on top again, after the one that interrupted it has ended."""
        self._stack.drop_ended()
        top = self._stack.top
        if top is None and self._lingers_until > self._now():
            self._close_later()
        elif top is None:
            self._last_frame.close()
        elif top.session.state is SessionState.WAITING:
            top.resume()
            self._last_frame.close_in(RETURN_TIMEOUT_S)

    async def settled(self) -> None:
        """Return when the last picture of what has gone is off the screen, if it is to go."""
        await self._last_frame.gone()

    async def close(self) -> None:
        """Everything has ended."""
        self._last_frame.close()
        await self._last_frame.gone()

    def _close_later(self) -> None:
        if math.isfinite(self._lingers_until):
            left_s = self._lingers_until - self._now()
            self._last_frame.close_in(left_s, unless=lambda: self._stack.starting is not None)

    async def _hand_over_to_audio(self, attempt: Attempt) -> None:
        """Hand over to audio. Only sound that is heard proves that audio plays, and only one of two may hold the
        device. So the old one lends the sound, and gets it back if the new one is not heard."""
        old = self._heard_now(attempt)
        if old is not None and not await self._lend_sound(old):
            old = None
        try:
            await self._give_sound(attempt)
            await first_sound(attempt.playing)
        except BaseException as error:
            if old is not None and old.attempt is not None and old is self._stack.top:
                why = KillReason.of(error)
                await asyncio.shield(self._give_back_sound(old, instead_of=attempt, why=why))
            raise
        await self._now_on_screen(attempt)

    async def _give_sound(self, attempt: Attempt) -> None:
        """Give the attempt the sound once nobody else has it: the one before has lent it, or is gone, which takes it
        some time."""
        before = self._heard
        if before is not None and before.is_kept:
            await self._silence(before)
        elif before is not None and before is not attempt and before.has_sound:
            await asyncio.wait([before.over], timeout=ENDING_TIMEOUT_S)
        self._heard = attempt
        await attempt.set_sound(True)

    async def _silence(self, kept: Attempt) -> None:
        """One that hangs is seen to by its own watch."""
        try:
            await kept.set_sound(False)
        except (PlayerTimeoutError, PlayerUnavailableError) as e:
            log.warning("sound_handover_failed", session_id=kept.session.id, reason=str(e))

    async def _give_back_sound(self, runner: SessionRunner, *, instead_of: Attempt, why: KillReason) -> None:
        try:
            if instead_of.player is not None:
                await instead_of.player.kill(why)  # it may hold the device still
            if runner.attempt is not None and not runner.session.paused:
                self._heard = runner.attempt
                await runner.attempt.set_sound(True)
        except (PlayerTimeoutError, PlayerUnavailableError) as e:  # it hangs or died: its own task sees to it
            log.warning("sound_return_failed", session_id=runner.session.id, reason=str(e))

    def _heard_now(self, attempt: Attempt) -> SessionRunner | None:
        top = self._stack.top
        if top is None or top.session.state is not SessionState.ACTIVE or top.attempt in (None, attempt):
            return None
        return top

    async def _lend_sound(self, runner: SessionRunner) -> bool:
        """Silence it. One that cannot be silenced is broken, and its process is what holds the device: it ends."""
        try:
            if runner.attempt is not None:
                await runner.attempt.set_sound(False)
        except (PlayerTimeoutError, PlayerUnavailableError) as e:
            log.warning("sound_handover_failed", session_id=runner.session.id, reason=str(e))
            await self._stack.end_all([runner], EndReason.REPLACED)
            return False
        return True

    async def _now_on_screen(self, attempt: Attempt) -> None:
        runner = self._stack.runner_of(attempt)
        returned = runner.session.has_played
        attempt.is_on()
        runner.session.first_frame()  # its first frame is emitted before the previous session waits or ends
        leaving = self._stack.enter(runner)
        self._stack.arm(runner)
        self._last_frame.close()
        shown = runner.session.snapshot()
        log.info(
            "first_frame_shown",
            session_id=shown.session_id,
            seconds=None if returned else round(shown.time_to_first_frame or 0.0, 3),
            media_type=shown.media_type,
            again=returned,
        )
        if leaving:
            await asyncio.wait(leaving, timeout=ENDING_TIMEOUT_S)
