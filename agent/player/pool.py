"""Where players come from: one warm spare, made anew in the background, within a budget."""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Protocol

import structlog

from agent.errors import AgentError, PlayerUnavailableError
from agent.player.process import ProcessPlayer, worker_environment
from agent.types import PlayerHealth

REFILL_DELAY_S = 1.0
"""The stream that took the spare gets the processor to itself until its first frame (0.1-0.5 s); nobody waits for
the next spare in that second, and who does gets a player at once."""

WARM_TIMEOUT_S = 5.0
"""The pre-roll takes 0.2 s, and gives up by itself after 3 s."""

FAILURES_ALLOWED = 3
"""After so many failed players in a row a start is refused with the reason, instead of failing later."""

BACKOFF_S = (0.5, 1.0, 2.0, 5.0, 15.0, 30.0, 60.0)
"""Waits between failed players: a libVLC that cannot start costs one process a minute, not a spawn loop."""

HEALTHY_AFTER_S = 30.0
"""A spare that lived this long makes earlier failures forgotten."""

log = structlog.get_logger(__name__)


class HiddenWindow(Protocol):
    """What the pre-roll is drawn into."""

    @property
    def xid(self) -> int: ...

    async def close(self) -> None: ...


class PlayerPool:
    """Keeps one spare player warm. `display` tells the X display to draw on, None when there is none;
    `open_window` makes the hidden window for the pre-roll."""

    def __init__(
        self,
        *,
        engine: str,
        command: Callable[[], list[str]],
        display: Callable[[], str | None],
        open_window: Callable[[], Awaitable[HiddenWindow]],
    ) -> None:
        self._engine = engine
        self._command = command
        self._display = display
        self._open_window = open_window
        self._spare: ProcessPlayer | None = None
        self._version = ""
        self._features: dict[str, bool | str] = {}
        self._waiters: deque[asyncio.Future[ProcessPlayer]] = deque()
        self._failures = 0
        self._problem = ""
        self._nudge = asyncio.Event()
        self._settled = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def health(self) -> PlayerHealth:
        available = self._failures < FAILURES_ALLOWED and self._display() is not None
        return PlayerHealth(
            available=available,
            spare_ready=self._spare is not None,
            engine=self._engine,
            version=self._version,
            features=dict(self._features),
            message=self._message(available),
        )

    async def start(self, *, settle_s: float = 2.0) -> None:
        """Begin to keep a spare; return once the first one is ready or has failed, or after `settle_s` seconds."""
        self._task = asyncio.create_task(self._keep_spare(), name="player-spare")
        try:
            async with asyncio.timeout(settle_s):
                await self._settled.wait()
        except TimeoutError:
            log.warning("spare_slow", waited_s=settle_s)

    async def stop(self) -> None:
        """End the spare. Players that were taken belong to those who took them. Idempotent."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_exception(PlayerUnavailableError("The agent is stopping."))
        self._waiters.clear()

    async def renew(self) -> None:
        """Replace the spare: the display it was made for has gone or come."""
        spare, self._spare = self._spare, None
        self._failures, self._problem = 0, ""
        self._nudge.set()
        if spare is not None:
            await spare.kill()

    async def take(self) -> ProcessPlayer:
        """The spare, or a new player as soon as there is one. Waits without limit while one is being made.

        Raises PlayerUnavailableError when there is no display or players keep failing.
        """
        if self._display() is None or self._task is None:
            raise PlayerUnavailableError("There is no display to play on.")
        if self._failures >= FAILURES_ALLOWED:
            raise PlayerUnavailableError(self._message(False))
        self._nudge.set()
        spare, self._spare = self._spare, None
        if spare is not None:
            return spare
        waiter: asyncio.Future[ProcessPlayer] = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        try:
            return await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled() and waiter.exception() is None:
                await waiter.result().kill()
            raise
        finally:
            if waiter in self._waiters:
                self._waiters.remove(waiter)

    async def _keep_spare(self) -> None:
        try:
            while True:
                if self._display() is None:
                    self._settled.set()
                    await self._nudged(None)
                    continue
                try:
                    player = await self._make()
                except AgentError as e:
                    await self._failed(e)
                    continue
                self._failures, failed_before = 0, self._failures
                if failed_before:
                    log.info("spare_recovered", after_failures=failed_before)
                self._version, self._features = player.version, dict(player.features)
                self._settled.set()
                if not self._hand_out(player):
                    await self._watch(player, failed_before)
                if not self._waiters:
                    await self._nudged(REFILL_DELAY_S, only_for_waiters=True)
        finally:
            spare, self._spare = self._spare, None
            if spare is not None:
                await spare.kill()

    async def _make(self) -> ProcessPlayer:
        display = self._display()
        if display is None:
            raise PlayerUnavailableError("There is no display to play on.")
        environment = worker_environment(display, base=os.environ)
        player = await ProcessPlayer.spawn(self._command(), environment=environment)
        if self._waiters:
            return player  # somebody waits: cold now is sooner than warm later
        try:
            window = await self._open_window()
            try:
                shown = await player.warm(window.xid, timeout_s=WARM_TIMEOUT_S)
            finally:
                await window.close()
        except BaseException:
            await player.kill()
            raise
        log.debug("spare_ready", pid=player.pid, preroll_shown=shown)
        return player

    def _hand_out(self, player: ProcessPlayer) -> bool:
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(player)
                return True
        self._spare = player
        return False

    async def _watch(self, player: ProcessPlayer, failed_before: int) -> None:
        """Return when the spare is no longer ours: taken, given up, or dead."""
        since = asyncio.get_running_loop().time()
        gone = asyncio.create_task(player.gone(), name="spare-gone")
        try:
            while self._spare is player:
                nudge = asyncio.create_task(self._nudged(None), name="spare-nudge")
                try:
                    await asyncio.wait({gone, nudge}, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    nudge.cancel()
                if gone.done() and self._spare is player:
                    self._spare = None
                    await player.kill()
                    lived = asyncio.get_running_loop().time() - since
                    self._failures = 0 if lived > HEALTHY_AFTER_S else failed_before
                    await self._failed(gone.result())
        finally:
            gone.cancel()

    async def _failed(self, error: AgentError) -> None:
        self._failures += 1
        self._problem = str(error)
        self._settled.set()
        delay = BACKOFF_S[min(self._failures, len(BACKOFF_S)) - 1]
        level = log.warning if self._failures in (1, FAILURES_ALLOWED) else log.debug
        level("spare_failed", failures=self._failures, retry_in_s=delay, reason=self._problem)
        while self._waiters and self._failures >= FAILURES_ALLOWED:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_exception(PlayerUnavailableError(self._message(False)))
        await self._nudged(0.0 if self._waiters else delay, only_for_waiters=True)

    async def _nudged(self, timeout_s: float | None, *, only_for_waiters: bool = False) -> None:
        """Wait until something changed, at most `timeout_s`."""
        loop = asyncio.get_running_loop()
        until = None if timeout_s is None else loop.time() + timeout_s
        while True:
            self._nudge.clear()
            left = None if until is None else max(0.0, until - loop.time())
            try:
                async with asyncio.timeout(left):
                    await self._nudge.wait()
            except TimeoutError:
                return
            if not only_for_waiters or self._waiters:
                return

    def _message(self, available: bool) -> str:
        if self._display() is None:
            return "There is no display to play on: see the display check."
        if not available:
            return (
                f"The {self._engine} player cannot be started: {self._problem} "
                "Check that libVLC is installed (Debian: apt install libvlc5 vlc-plugin-base vlc-plugin-video-output)."
            )
        if self._problem and self._failures:
            return f"The last spare player failed, another is being made: {self._problem}"
        return ""
