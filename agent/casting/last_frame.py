"""The last picture of what has gone: it stays on the screen until something takes its place."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from agent.stage.base import Window

CLOSE_TIMEOUT_S = 4.0
"""The longest wait for a window to be gone: one frame is usual, seconds when the display hangs."""


class LastFrame:
    """A keeper of at most one window, without a player, above older ones. `closed` is called when one is off screen."""

    def __init__(self, *, closed: Callable[[], None]) -> None:
        self._closed = closed
        self._window: Window | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._closing: set[asyncio.Task[None]] = set()

    def keep(self, window: Window) -> None:
        """Leave this window on the screen instead of the one before, for as long as nothing else is said."""
        self.close()
        self._window = window

    def close_in(self, seconds: float, *, unless: Callable[[], bool] = lambda: False) -> None:
        """Close the window after this time at the latest, unless `unless` returns True then."""
        if self._window is not None and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(seconds, self._close_unless, unless)

    def close(self) -> None:
        """Close the window: something took its place, or nothing shall be seen."""
        self.forget_time()
        if self._window is not None:
            task = asyncio.create_task(self._window.close(), name="window-close")
            self._window = None
            self._closing.add(task)
            task.add_done_callback(self._is_off)

    def forget_time(self) -> None:
        """Let the window stay until another time is given."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _close_unless(self, excused: Callable[[], bool]) -> None:
        self._timer = None
        if not excused():
            self.close()

    def _is_off(self, task: asyncio.Task[None]) -> None:
        self._closing.discard(task)
        self._closed()

    async def gone(self) -> None:
        """Return when what was closed is off the screen; CLOSE_TIMEOUT_S at most."""
        if self._closing:
            await asyncio.wait(self._closing, timeout=CLOSE_TIMEOUT_S)
