"""The periodic work of a feature, and what it does on demand."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from central.core.errors import DatabaseUnavailableError

Worker = Callable[[], Coroutine[Any, Any, None]]
"""Goes on until it is cancelled. One that fails is restarted, and /health says so."""


def repeated(once: Callable[[], Awaitable[object]], *, every_s: float) -> Worker:
    """A worker that calls `once`, with a pause of `every_s` seconds after each call. A missing database ends only the
    current call: it is logged where it is noticed."""

    async def work() -> None:
        while True:
            with contextlib.suppress(DatabaseUnavailableError):
                await once()
            await asyncio.sleep(every_s)

    return work


class OnDemand:
    """Work that is done one piece after the other, as soon as there is some.

    Whoever makes some calls `wake`; what another instance made is found at the next look.
    """

    def __init__(self, one: Callable[[], Awaitable[bool]], *, every_s: float) -> None:
        """`one` does a piece and returns whether there was one. `every_s` seconds are between two looks."""
        self._one = one
        self._every_s = every_s
        self._wakes: set[asyncio.Event] = set()

    def wake(self) -> None:
        """There is something to be done."""
        for wake in self._wakes:
            wake.set()

    async def run(self) -> None:
        """The worker; several may run at once."""
        wake = asyncio.Event()
        self._wakes.add(wake)
        try:
            while True:
                wake.clear()
                with contextlib.suppress(DatabaseUnavailableError):
                    while await self._one():
                        pass
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._every_s):
                        await wake.wait()
        finally:
            self._wakes.discard(wake)
