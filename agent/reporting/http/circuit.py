"""The circuit to one receiver, as all that call it share it: one call at a time, and pauses after failures."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Final, TypeVar

import structlog

from agent.reporting.http.errors import CallFailedError, Trouble
from cast_util.backoff import Backoff

PAUSES: Final = Backoff(1.0, cap_s=300.0)
REFUSED_RETRY_S: Final = 300.0
"""A token that was refused may be known again: a database that was restored, a clock that was mended."""

T = TypeVar("T")

log = structlog.get_logger(__name__)


class Circuit:
    """Knows whether the other side is there. Of a failure that may pass the next call waits: full jitter under a cap
    that doubles, or as long as the server asked for. `name` is what the log calls it, beside `about`."""

    def __init__(self, name: str = "central", *, seed: int | None = None, **about: str) -> None:
        self._name = name
        self._about = about
        self._turn = asyncio.Lock()
        self._open = asyncio.Event()
        self._open.set()
        self._timer: asyncio.TimerHandle | None = None
        self._failures = 0
        self._random = random.Random(seed)  # noqa: S311 - it spreads calls over time
        self.last_success: datetime | None = None
        self.trouble: CallFailedError | None = None
        """The error of the last call; None if it succeeded."""

    @property
    def connected(self) -> bool:
        return self.trouble is None and self.last_success is not None

    async def ready(self) -> None:
        """Return when a call may be made. Never, once the other side wants no more of them (410)."""
        await self._open.wait()

    async def call(self, make: Callable[[], Awaitable[T]]) -> T:
        """The result of `make`, called in its turn once the circuit is ready. Raises CallFailedError."""
        async with self._turn:
            await self.ready()
            try:
                result = await make()
            except CallFailedError as error:
                if error.trouble in (Trouble.REJECTED, Trouble.LIMITED):
                    self._succeeded()  # the other side is there, and did not like this one thing
                else:
                    self._failed(error)
                raise
            self._succeeded()
            return result

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _succeeded(self) -> None:
        if not self.connected:
            log.info(f"{self._name}_connected", **self._about)
        self._failures, self.trouble = 0, None
        self.last_success = datetime.now(UTC)

    def _failed(self, error: CallFailedError) -> None:
        known = self.trouble is not None and str(self.trouble) == str(error)
        level = log.debug if known else log.error if error.trouble is Trouble.GONE else log.warning
        found = {"trouble": error.trouble.value, "reason": str(error), "failures": self._failures + 1}
        level(f"{self._name}_call_failed", **self._about, **found)
        self.trouble = error
        self._open.clear()
        if error.trouble is not Trouble.GONE:
            delay = self._delay(error)
            self._timer = asyncio.get_running_loop().call_later(delay, self._open.set)

    def _delay(self, error: CallFailedError) -> float:
        if error.trouble is Trouble.REFUSED:
            return REFUSED_RETRY_S
        self._failures += 1
        if error.retry_after_s is not None:
            # Not all boxes of a house in the same moment.
            return error.retry_after_s + PAUSES.spread_after(1, self._random)
        return PAUSES.spread_after(self._failures, self._random)
