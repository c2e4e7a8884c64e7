"""Times that survive a clock that was wrong."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from agent.host.clock import boot_id, since_boot, synchronised


@dataclass(frozen=True, slots=True)
class Timestamp:
    """A moment by the wall clock, and by the time since the machine was switched on."""

    at: float
    """Seconds since 1970, by the clock of the box."""
    synced: bool
    """True if the network kept that clock then."""
    uptime: float
    """Seconds since the machine was switched on, suspended or not."""
    machine_boot: str
    """The id of the machine's boot during which that was."""

    @property
    def utc(self) -> datetime:
        """The time by the clock, kept within the years that the wire knows."""
        return datetime.fromtimestamp(min(max(self.at, 0.0), _YEAR_3000 - 1), UTC)

    def age(self, now: Timestamp) -> float:
        """Seconds from this moment to `now`, or as many as are certain: a clock that was set in between does not make
        it older."""
        if self.machine_boot == now.machine_boot:
            return now.uptime - self.uptime
        if self.synced and now.synced:
            return max(now.at - self.at, now.uptime)
        return now.uptime


def timestamp() -> Timestamp:
    """Now."""
    return Timestamp(time.time(), synchronised(), since_boot(), MACHINE_BOOT)


_YEAR_3000: Final = 32_503_680_000.0


def _machine_boot() -> str:
    try:
        return boot_id()
    except OSError:
        return ""


MACHINE_BOOT: Final = _machine_boot()
