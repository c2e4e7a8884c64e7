"""The source of the players of one engine: a warm spare, made anew in the background, within a budget."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any

import structlog

from agent.errors import AgentError, DisplayRefusedError, PlayerUnavailableError
from agent.health import PlayerHealth
from agent.player.base import Adopt, HiddenWindow, KillReason, Totals
from agent.player.child import ChildPlayer
from agent.player.confine import NONE
from agent.player.registry import EngineSpec
from agent.player.spawn import worker_environment
from agent.player.tally import Tally
from cast_util.backoff import Backoff
from cast_util.tasks import Supervisor

REFILL_DELAY_S = 1.0
"""The stream that took the spare gets the processor to itself until its first frame (0.1-0.5 s); nobody waits for
the next spare in that second, and who does gets a player at once."""

WARM_TIMEOUT_S = 15.0
"""The pre-roll takes 0.2 s, and gives up by itself after 3 s; the rest is for plug-ins from a slow card."""

FAILURES_ALLOWED = 3
"""The number of failed players in a row after which a start is refused with the reason, instead of failing later."""

PAUSES = Backoff(0.5, cap_s=60.0)
"""Waits between failed players: a libVLC that cannot start costs one process a minute, not a spawn loop."""

MEMORY_LOOK_S = 60.0
"""The interval at which the memory for a spare is checked again; a check costs 0.1 ms."""

HEALTHY_AFTER_S = 30.0
"""A spare that lived this long makes earlier failures forgotten."""

log = structlog.get_logger(__name__)


class PlayerPool:
    """Keeps one spare player of an engine warm. `command` starts a process of it. `display` tells the X display to draw
    on, None when there is none; `open_window` makes the hidden window for the pre-roll. `authority` is the file with
    the cookie of the display."""

    def __init__(
        self,
        spec: EngineSpec,
        *,
        command: Callable[[], list[str]],
        display: Callable[[], str | None],
        open_window: Callable[[], Awaitable[HiddenWindow]],
        supervisor: Supervisor | None = None,
        authority: Path | None = None,
        adopt: Adopt | None = None,
    ) -> None:
        self._no_room = ""
        """The reason why there is no spare although one is to be kept."""
        self._supervisor = supervisor or Supervisor()
        self.spec = spec
        self._keeps_spare = not spec.on_demand
        self._command = command
        self._display = display
        self._authority = authority
        self._open_window = open_window
        self._adopt = adopt
        self._spare: ChildPlayer | None = None
        self._tally = Tally()
        self._ours: set[ChildPlayer] = set()
        """Made here and not handed out; some may still be dying."""
        self._version = ""
        self._features: dict[str, bool | str] = {}
        self._waiters: deque[asyncio.Future[ChildPlayer]] = deque()
        self._failures = 0
        self._problem = self._remedy = ""
        self._not_before = 0.0
        """Loop time before which no spare is made, unless somebody waits for a player."""
        self._renewals = 0
        """The number of renewals so far; a process that was begun before the last one is out of date."""
        self._changed = asyncio.Event()
        self._settled = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def health(self) -> PlayerHealth:
        can_be_made = self._spare is not None or self._failures < FAILURES_ALLOWED
        available = can_be_made and self._display() is not None and not self.spec.missing
        return PlayerHealth(
            available=available,
            spare_ready=self._spare is not None,
            engine=self.spec.name,
            version=self._version,
            features=dict(self._features),
            message=self._message(available),
        )

    @property
    def totals(self) -> Totals:
        return self._tally.totals

    async def start(self, *, settle_s: float = 2.0) -> None:
        """Begin to keep a spare; return once the first one is ready or has failed, or after `settle_s` seconds."""
        self._run(self._keep_spare, f"{self.spec.name}-spare")
        try:
            async with asyncio.timeout(settle_s):
                await self._settled.wait()
        except TimeoutError:
            log.warning("spare_delayed", waited_s=settle_s)

    async def stop(self) -> None:
        """End the spare. Players that were taken belong to their takers. Idempotent."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._spare = None
        await asyncio.gather(*(player.kill(KillReason.SPARE) for player in self._ours))
        self._refuse_waiters(PlayerUnavailableError("The agent is stopping."))

    async def renew(self) -> None:
        """Replace the spare, also one that is being made: what it was made for has gone, or something has come."""
        self._renewals += 1
        self._failures, self._problem, self._not_before = 0, "", 0.0
        await self._drop_spare()
        if self._display() is None:
            self._refuse_waiters(PlayerUnavailableError(self._message(False)))
        self._changed.set()

    def expect(self) -> None:
        """Keep a spare from now on, because a player will be wanted."""
        if not self._keeps_spare:
            self._keeps_spare = True
            self._changed.set()

    async def take(self, *, keep_spare: bool = True) -> ChildPlayer:
        """The spare, or a new player as soon as there is one. Waits without limit while one is being made.
        `keep_spare` is False for a player of which no second one will soon be wanted.

        Raises PlayerUnavailableError when there is no display or players keep failing.
        """
        if not self.health.available or not self._tasks:
            raise PlayerUnavailableError(self._message(False))
        self._keeps_spare = self._keeps_spare or keep_spare
        self._changed.set()
        spare, self._spare = self._spare, None
        if spare is not None:
            self._ours.discard(spare)
            self._not_before = asyncio.get_running_loop().time() + REFILL_DELAY_S
            return spare
        waiter: asyncio.Future[ChildPlayer] = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        try:
            return await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled() and waiter.exception() is None:
                # It was handed out at the moment at which its taker gave up.
                await waiter.result().kill(KillReason.GIVEN_UP)
            raise
        finally:
            if waiter in self._waiters:
                self._waiters.remove(waiter)

    async def _keep_spare(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            self._changed.clear()
            wanted = self._wants_player() and self._display() is not None
            if wanted and (self._waiters or loop.time() >= self._not_before):
                await self._add_player()
                continue
            if not wanted:
                self._settled.set()
            until = self._not_before if wanted else loop.time() + MEMORY_LOOK_S if self._no_room else None
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(until):
                    await self._changed.wait()

    def _wants_player(self) -> bool:
        wants_spare = self._spare is None and self._keeps_spare and not self.spec.missing
        self._no_room = self.spec.no_room if wants_spare else ""
        return (self._spare is None and bool(self._waiters)) or (wants_spare and not self._no_room)

    async def _add_player(self) -> None:
        renewals = self._renewals
        try:
            player = await self._make()
        except AgentError as e:
            self._failed(e)
            return
        except OSError as e:  # out of descriptors or processes: that passes
            self._failed(PlayerUnavailableError(f"The player process cannot be started: {e.strerror}."))
            return
        except Exception as e:  # the caller that waits for a player gets the error
            log.exception("spare_crashed")
            self._failed(PlayerUnavailableError(f"The player process cannot be started: {e!r}. Please report this."))
            return
        if renewals != self._renewals:
            await self._discard(player)
            return
        self._version, self._features = player.version or self._version, dict(player.features or self._features)
        self._settled.set()
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(player)
                self._ours.discard(player)
                self._failures = 0
                self._not_before = asyncio.get_running_loop().time() + REFILL_DELAY_S
                return
        self._spare = player
        self._run(lambda: self._guard(player), f"spare-{player.pid}")

    async def _guard(self, player: ChildPlayer) -> None:
        """Count the death of the spare. Only one that lived for a while is forgiven."""
        try:
            async with asyncio.timeout(HEALTHY_AFTER_S):
                error = await player.gone()
        except TimeoutError:
            self._failures = 0
            error = await player.gone()
        if self._spare is player:
            await self._drop_spare()
            self._failed(error)

    async def _drop_spare(self) -> None:
        spare, self._spare = self._spare, None
        if spare is not None:
            await self._discard(spare)

    async def _discard(self, player: ChildPlayer, why: KillReason = KillReason.SPARE) -> None:
        await player.kill(why)
        self._ours.discard(player)

    async def _make(self) -> ChildPlayer:
        display = self._display()
        if display is None:
            raise PlayerUnavailableError("There is no display to play on.")
        environment = worker_environment(display, base=os.environ, authority=self._authority)
        player = await self.spec.client.spawn(
            self._command(), environment=environment, tally=self._tally, adopt=self._adopt
        )
        self._ours.add(player)
        if self._waiters:
            return player  # a caller waits: cold now is sooner than warm later
        try:
            window = await self._open_window()
            try:
                shown = await player.warm(window.xid, timeout_s=WARM_TIMEOUT_S)
            finally:
                await window.close()
        except BaseException:
            await self._discard(player, KillReason.UNFIT)
            raise
        log.debug("spare_prepared", pid=player.pid, preroll_shown=shown)
        return player

    def _failed(self, error: AgentError) -> None:
        self._failures += 1
        self._problem = str(error)
        # An engine that cannot open the display is not one that is installed badly.
        self._remedy = "" if isinstance(error, DisplayRefusedError) else self.spec.advice
        delay = PAUSES.after(self._failures)
        self._not_before = asyncio.get_running_loop().time() + delay
        level = log.warning if self._failures in (1, FAILURES_ALLOWED) else log.debug
        level("spare_failed", failures=self._failures, retry_in_s=delay, reason=self._problem)
        if self._failures >= FAILURES_ALLOWED:
            self._refuse_waiters(PlayerUnavailableError(self._message(False)))
        self._settled.set()
        self._changed.set()

    def _refuse_waiters(self, error: PlayerUnavailableError) -> None:
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_exception(error)

    def _run(self, work: Callable[[], Coroutine[Any, Any, None]], name: str) -> None:
        task = self._supervisor.start(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _message(self, available: bool) -> str:
        if self._display() is None:
            return self.spec.missing or "There is no display to play on: /health says what to do."
        if not available:
            problem = f"{self._problem} {self._remedy}".rstrip()
            return self.spec.missing or f"The {self.spec.name} player cannot be started: {problem}"
        if self._problem and self._failures:
            return f"The last spare player failed; the agent starts another: {self._problem}"
        if not self._no_room and self._features.get("confinement") == NONE:
            return "Nothing keeps players from reading other files: `cast-agent doctor` says what can be done."
        return self._no_room
