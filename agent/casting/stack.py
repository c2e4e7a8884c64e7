"""The sessions that there are: which is on top, which wait underneath, which is being prepared, and how they end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from urllib.parse import urlsplit

import structlog

from agent.casting.attempt import Attempt
from agent.casting.runner import SessionRunner
from agent.casting.session import Session
from agent.errors import ReplacedError
from agent.types import EndReason, MediaType, SessionId, SessionState

ENDING_TIMEOUT_S = 4.0
"""The longest wait of a stop for players to be gone: 20 ms is usual; 2 s when a process cannot be reaped, and as much
again for a display that hangs. The session's own task goes on after that."""

WAITING_LIMIT = 8
"""Interrupted sessions. A doorbell that rings once more takes the place of the second oldest, never of the film at
the bottom and never of what was on a moment ago."""

log = structlog.get_logger(__name__)


class Stack:
    """The top is on the screen, what is below was interrupted. Beside it at most one start is being prepared.

    `ended` is called with each runner whose task is over, and whether it was the top until then.
    """

    def __init__(self, *, ended: Callable[[SessionRunner, bool], None]) -> None:
        self._starting: SessionRunner | None = None
        self._stack: list[SessionRunner] = []
        self._running: set[SessionRunner] = set()
        """The runners, including those whose players are still being ended."""
        self._timers: dict[SessionRunner, asyncio.TimerHandle] = {}
        self._ended = ended

    # --- what there is ---

    @property
    def starting(self) -> SessionRunner | None:
        """The session that is being prepared."""
        return self._starting

    @property
    def top(self) -> SessionRunner | None:
        return self._stack[-1] if self._stack else None

    @property
    def below(self) -> SessionRunner | None:
        """The session that comes back when the top one ends."""
        return self._stack[-2] if len(self._stack) > 1 else None

    @property
    def runners(self) -> tuple[SessionRunner, ...]:
        """The runners of the sessions that were shown, the bottom first."""
        return tuple(self._stack)

    @property
    def wanted(self) -> tuple[SessionRunner, ...]:
        """The sessions that were shown, the bottom first, followed by the one that is being prepared."""
        return tuple(self._stack) if self._starting is None else (*self._stack, self._starting)

    @property
    def wants_picture(self) -> bool:
        """Return True if any session is on, waits or is being prepared, other than a sound that is heard now."""
        top = self.top
        if top is not None and top.session.end is None and top.session.progress.media_type is MediaType.AUDIO:
            return False
        return any(runner.session.end is None for runner in self.wanted)

    def find(self, session_id: SessionId) -> SessionRunner | None:
        """The runner that is on top, being prepared or waiting; None for one that ends or has ended."""
        return next((c for c in self.wanted if c.session.id == session_id and c.session.end is None), None)

    # --- beginnings ---

    def prepare(self, runner: SessionRunner) -> None:
        """Prepare a start beside the current session. A start that was being prepared ends as `replaced`."""
        if self._starting is not None:
            self.end(self._starting, EndReason.REPLACED)
        self._starting = runner
        self._begin(runner)

    def put_back(self, runner: SessionRunner, *, waiting: bool) -> None:
        """Put on top one that was there before a restart; `waiting` until what comes above it has ended."""
        self._stack.append(runner)
        self._begin(runner, waiting=waiting)

    def runner_of(self, attempt: Attempt) -> SessionRunner:
        """The runner of an attempt: the top, or the one that is starting. Raises ReplacedError for an attempt that a
        newer start has replaced."""
        for runner in (self.top, self._starting):
            if runner is not None and runner.attempt is attempt:
                return runner
        raise ReplacedError("A newer start replaced it just before its first frame.")

    def enter(self, runner: SessionRunner) -> list[asyncio.Future[None]]:
        """Put a runner on top and return the attempts that must be gone before it is given the sound. The top before it
        ends `replaced`, or waits. For the current top, which comes back after a failure or an interruption, nothing
        changes."""
        top = self.top
        if runner is top:
            return []
        self._starting = None
        leaving: list[asyncio.Future[None]] = []
        if not runner.session.request.interrupt:
            for old in self._stack:
                leaving.append(old.task)
                self.end(old, EndReason.REPLACED)
            self._stack = []
        elif top is not None:
            if top.session.end is None and top.session.state is not SessionState.WAITING:
                top.suspend(keep=True)
                log.info("stream_interrupted", session_id=top.session.id, by=runner.session.id)
            if top.attempt is not None and not top.attempt.is_kept:
                leaving.append(top.attempt.over)
            if len(self._stack) > WAITING_LIMIT:
                self.end(self._stack.pop(1), EndReason.REPLACED)
        self._stack.append(runner)
        return leaving

    async def make_room(self, session: Session, *, of_memory: bool = False) -> bool:
        """The source of a start that is being prepared may serve one viewer at a time: if what is on comes from the
        same host, let its player go, as for an interruption; its last picture stays. So does that of a page where there
        is no room `of_memory` for two. Tells whether a player has gone.

        It is taken up again when nothing is prepared any more.
        """
        starting, top, host = self._starting, self.top, _host(session.url)
        if starting is None or starting.session is not session or top is None or host is None:
            return False
        attempt, on = top.attempt, top.session
        in_the_way = on.progress.media_type is MediaType.WEB if of_memory else _host(on.url) == host
        if attempt is None or on.state is not SessionState.ACTIVE or not in_the_way:
            return False
        top.suspend()
        log.info("source_slot_freed", session_id=on.id, for_session=session.id)
        await asyncio.wait([attempt.over], timeout=ENDING_TIMEOUT_S)
        return True

    def arm(self, runner: SessionRunner) -> None:
        """Have it end when its duration is over, also while it waits."""
        self._disarm(runner)
        if runner.session.lifetime.deadline is not None and runner.session.end is None:
            loop = asyncio.get_running_loop()
            self._timers[runner] = loop.call_at(runner.session.lifetime.deadline, self.end, runner, EndReason.EXPIRED)

    # --- ends ---

    def end(self, runner: SessionRunner, reason: EndReason) -> None:
        """Tell it to end; the first reason counts."""
        if runner.session.conclude(reason):
            runner.task.cancel()
        if self._starting is runner:
            self._starting = None

    async def end_all(self, runners: Iterable[SessionRunner], reason: EndReason) -> None:
        """End these sessions. On return their players, and those of sessions that ended a moment ago, are gone."""
        for runner in runners:
            self.end(runner, reason)
        # Also sessions that were replaced a moment ago: their windows would be seen again when those above are closed.
        us = asyncio.current_task()
        if ending := [c.task for c in self._running if c.session.end is not None and c.task is not us]:
            await asyncio.wait(ending, timeout=ENDING_TIMEOUT_S)

    async def close(self) -> None:
        """End everything."""
        await self.end_all(list(self._running), EndReason.SHUTDOWN)

    def drop_ended(self) -> None:
        """Take off the top what ended in the same moment as what was above it; its own task sees to the rest."""
        while self._stack and self._stack[-1].session.end is not None:
            self._stack.pop()

    # --- helpers ---

    def _begin(self, runner: SessionRunner, *, waiting: bool = False) -> None:
        self._running.add(runner)
        runner.begin(waiting=waiting).add_done_callback(lambda _: self._over(runner))
        self.arm(runner)

    def _over(self, runner: SessionRunner) -> None:
        self._running.discard(runner)
        self._disarm(runner)
        session = runner.session
        if session.state in (SessionState.PENDING, SessionState.WAITING):  # ended before its task had begun
            session.conclude(EndReason.SHUTDOWN)
            session.move(SessionState.STOPPING)
            session.move(SessionState.ENDED)
        if self._starting is runner:
            self._starting = None
        was_top = self.top is runner
        if runner in self._stack:
            self._stack.remove(runner)
        self._ended(runner, was_top)

    def _disarm(self, runner: SessionRunner) -> None:
        if (timer := self._timers.pop(runner, None)) is not None:
            timer.cancel()


def _host(url: str) -> str | None:
    """None for a file, and for what is still to be looked up."""
    return urlsplit(url).hostname or None
