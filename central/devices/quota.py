"""The quota of storage of one box."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from central.core.errors import QuotaExceededError

DAY_S: Final = 86_400.0

BOXES_LIMIT: Final = 100_000
"""Boxes that are remembered. The one that was quiet for longest is forgotten first; its quota is back by then."""


class Quota:
    """A quota of so many bytes a day for each box: all at once, as when it comes back with a full outbox (5 MB at
    most), or little by little. It guards the disk from a box that has gone wild, and is no account: each instance
    counts for itself, from its start."""

    def __init__(self, mib_a_day: float, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._most = mib_a_day * 2**20
        self._monotonic = monotonic
        self._used: OrderedDict[str, tuple[float, float]] = OrderedDict()
        """The time of each box's last call, and the number of bytes that counted then."""

    def take(self, device_id: str, size: int) -> None:
        """Count bytes that this box is about to have stored. Raises QuotaExceededError when that is too much for
        now."""
        used = self._count(device_id) + size
        if used > self._most:
            wait_s = (used - self._most) * DAY_S / self._most
            raise QuotaExceededError(
                f"This box has had {self._most / 2**20:g} MiB stored within a day, which is all that it may "
                f"(devices.quota). There is room for this in {math.ceil(wait_s)} s.",
                wait_s,
            )
        self._used[device_id] = (self._monotonic(), used)
        self._used.move_to_end(device_id)
        if len(self._used) > BOXES_LIMIT:
            self._used.popitem(last=False)

    def give_back(self, device_id: str, size: int) -> None:
        """Return so many bytes that were taken but not stored."""
        if size and device_id in self._used:
            self._used[device_id] = (self._monotonic(), max(0.0, self._count(device_id) - size))

    def _count(self, device_id: str) -> float:
        at, used = self._used.get(device_id, (0.0, 0.0))
        return max(0.0, used - (self._monotonic() - at) * self._most / DAY_S) if used else 0.0
