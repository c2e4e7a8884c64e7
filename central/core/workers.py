"""The periodic work of a feature."""

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
