"""Long-lived tasks: restarted when they fail, and reported for as long as they keep failing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Final

import structlog

from cast_util.backoff import Backoff
from cast_util.health import Check

PAUSES: Final = Backoff(0.5, cap_s=30.0)
"""Pauses between failures in a row: soon enough that nobody notices one, and next to no work if it never works."""

STEADY_S: Final = 30.0
"""A task that has run for this long since its last failure counts as well again."""

log = structlog.get_logger(__name__)


class Supervisor:
    """Runs long-lived tasks by name. One that fails is logged and restarted after a pause, for as long as the program
    runs; one that returns is over. A cancellation that comes from something it waits for is a failure as well."""

    def __init__(self) -> None:
        self._failing: dict[str, str] = {}
        self._paused: set[str] = set()

    @property
    def failing(self) -> Mapping[str, str]:
        """The reason of each recent failure, by the name of the task."""
        return dict(self._failing)

    @property
    def health(self) -> Check:
        """The state of the tasks for /health."""
        if not self._failing:
            return Check()
        named = ", ".join(f"{name} ({reason})" for name, reason in sorted(self._failing.items()))
        return Check(False, f"These parts of this program fail and are restarted: {named}. Its log has the details.")

    def is_paused(self, name: str) -> bool:
        """Return True while the task of this name waits for its restart."""
        return name in self._paused

    def start(self, work: Callable[[], Coroutine[Any, Any, None]], *, name: str) -> asyncio.Task[None]:
        """Run `work()`, anew after each failure. The caller holds the task, and cancels it to end the work."""
        return asyncio.create_task(self._run(work, name), name=name)

    async def _run(self, work: Callable[[], Coroutine[Any, Any, None]], name: str) -> None:
        loop, failures = asyncio.get_running_loop(), 0
        recovered: asyncio.TimerHandle | None = None
        try:
            while True:
                began = loop.time()
                try:
                    return await work()
                except (Exception, asyncio.CancelledError) as error:
                    if (task := asyncio.current_task()) is not None and task.cancelling():
                        raise
                    if recovered is not None:
                        recovered.cancel()
                    failures = 1 if loop.time() - began >= STEADY_S else failures + 1
                    pause_s = PAUSES.after(failures)
                    self._paused.add(name)
                    self._failed(name, error, failures, pause_s)
                await asyncio.sleep(pause_s)
                self._paused.discard(name)
                recovered = loop.call_later(STEADY_S, self._recovered, name)
        finally:
            if recovered is not None:
                recovered.cancel()
            self._failing.pop(name, None)
            self._paused.discard(name)

    def _failed(self, name: str, error: BaseException, failures: int, pause_s: float) -> None:
        # A failure that repeats is in the log once with its traceback, then a line each.
        # Its text stays in the log, which is redacted: it may name an address.
        self._failing[name] = error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
        again = failures > 1
        (log.warning if again else log.error)(
            "task_failed",
            task=name,
            failures=failures,
            restart_in_s=pause_s,
            reason=repr(error),
            exc_info=None if again else error,
        )

    def _recovered(self, name: str) -> None:
        self._failing.pop(name, None)
        log.info("task_recovered", task=name)
