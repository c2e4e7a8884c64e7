"""The signals: stop, in time, whatever hangs; or reload the settings."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
import time
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

import structlog

T = TypeVar("T")

LEAVE_WITHIN_S: Final = 4.5
"""The longest time from the signal to the end. Everything that ends has a bound of its own, but their sum is longer,
and a library's thread may hang: Python would wait for it for ever."""

log = structlog.get_logger(__name__)


class Signals:
    """SIGTERM and SIGINT stop, a second SIGINT ends at once; SIGHUP reloads, unless it means that the terminal is
    gone: then it stops. To be made on the event loop, once."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._told = asyncio.Event()
        self._stopping = False
        self._working: asyncio.Task[Any] | None = None
        self._had_terminal = sys.stderr.isatty()
        self._signalled_at: float | None = None
        for number in (signal.SIGTERM, signal.SIGINT):
            self._loop.add_signal_handler(number, self._stop)
            signal.signal(number, self._note)  # beside the loop's own way to hear of it, which may be busy for seconds
        self._loop.add_signal_handler(signal.SIGHUP, self._reload)

    async def unless_told_to_stop(self, work: Coroutine[Any, Any, T]) -> T | None:
        """The result of `work`; None if a signal cancelled it."""
        self._working = task = asyncio.create_task(work, name="unless-told-to-stop")
        try:
            if self._stopping:
                task.cancel()
            return await task
        except asyncio.CancelledError:
            if not self._stopping or not task.done():
                task.cancel()
                raise
            return None
        finally:
            self._working = None

    async def told_to_reload(self) -> bool:
        """Wait until a signal has come: whether it was for a reload. False ever after when it was for a stop."""
        await self._told.wait()
        if not self._stopping:
            self._told.clear()
        return not self._stopping

    def _stop(self) -> None:
        if self._stopping:
            return
        self._stopping = True
        late_s = 0.0 if self._signalled_at is None else time.monotonic() - self._signalled_at
        _last_call(max(0.0, LEAVE_WITHIN_S - late_s))
        self._loop.remove_signal_handler(signal.SIGINT)
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # of the kernel's doing: also when the loop is stuck
        self._told.set()
        if self._working is not None:
            self._working.cancel()

    def _note(self, _number: int, _frame: object) -> None:
        """Note a signal, between two instructions of Python, whatever the loop is doing."""
        self._signalled_at = self._signalled_at or time.monotonic()

    def _reload(self) -> None:
        if self._had_terminal and not sys.stderr.isatty():
            self._stop()
        else:
            self._told.set()


def stop_this_process() -> None:
    """Have the agent stop as by SIGTERM; a service manager starts it again."""
    os.kill(os.getpid(), signal.SIGTERM)


def _last_call(after_s: float) -> None:
    """End the process so many seconds from now, from a thread of its own. The kernel then ends the players, which are
    bound to this process, and the X server closes what was drawn; what is kept on disk is written whole or not at all.
    """
    timer = threading.Timer(after_s, _too_late)
    timer.daemon = True
    timer.start()


def _too_late() -> None:
    log.error("stop_timed_out", after_s=LEAVE_WITHIN_S, hint="Players and windows end with this process.")
    os._exit(1)
