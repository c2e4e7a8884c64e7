"""Whether the wall clock can be believed."""

from __future__ import annotations

import ctypes

_UNSYNCHRONISED = 5
"""TIME_ERROR of adjtimex(2): nothing has set the clock by the network (or a GPS) since the machine started."""

_TIMEX_BYTES = 256
"""More than `struct timex` has on any architecture (208 on 64 bits); all zeros asks and changes nothing."""


def synchronised() -> bool:
    """Whether NTP (or the like) keeps the clock. False where the kernel cannot be asked."""
    libc = ctypes.CDLL(None, use_errno=True)
    state: int = libc.adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES))
    return 0 <= state < _UNSYNCHRONISED
