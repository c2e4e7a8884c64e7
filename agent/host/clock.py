"""The wall clock, which may be wrong, and the clock of the machine's run, which never is."""

from __future__ import annotations

import ctypes
import time
from pathlib import Path
from typing import Final

_UNSYNCHRONISED = 5
"""TIME_ERROR of adjtimex(2): nothing has set the clock by the network (or a GPS) since the machine started."""

_LIBC = ctypes.CDLL(None)

_TIMEX_BYTES = 256
"""More than `struct timex` has on any architecture (208 on 64 bits); all zeros asks and changes nothing."""

RELEASED = 1_767_225_600.0
"""2026-01-01, in seconds since 1970: nothing here runs before."""

STEP_S = 5.0
"""A step of the wall clock against the monotonic one; what NTP slews stays far below."""

BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")


def since_boot() -> float:
    """Seconds since the machine was switched on, including the time that it slept."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def boot_id() -> str:
    """Names the run of the machine that `since_boot` counts in."""
    return BOOT_ID.read_text().strip()


def synchronised() -> bool:
    """Return True if NTP (or the like) keeps the clock. False where the kernel cannot be asked."""
    state: int = _LIBC.adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES))
    return 0 <= state < _UNSYNCHRONISED


class WallClock:
    """A box without a clock of its own starts in the past, and is set right by the network some time later; one that
    has such a clock may never be synchronised, and is right all the same."""

    def __init__(self) -> None:
        self._not_before = RELEASED
        self._offset = _offset()

    def was(self, moment: float) -> None:
        """Learn that this moment, in seconds since 1970, is in the past: a clock that stands before it is not set
        yet."""
        self._not_before = max(self._not_before, moment)

    @property
    def is_set(self) -> bool:
        return time.time() >= self._not_before

    @property
    def at_least(self) -> float:
        """Learn that it is this late, or later."""
        return max(time.time(), self._not_before)

    def stepped(self) -> float:
        """Seconds by which the clock was set since the last call; 0.0 if it was not set. A clock that is set back while
        the agent runs is trusted."""
        offset = _offset()
        step = offset - self._offset
        if abs(step) < STEP_S:
            return 0.0
        self._offset = offset
        if step < 0:
            self._not_before = RELEASED
        return step


def _offset() -> float:
    return time.time() - time.monotonic()
