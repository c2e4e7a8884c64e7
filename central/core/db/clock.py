"""One time for all instances: that of the database, however their machines' clocks go."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog
from sqlalchemy import text

from central.core.db.engine import Database

log = structlog.stdlib.get_logger(__name__)

ADJUST_S: Final = 10.0
"""Oscillators of machines differ by less than 1 ms in that time; another server of the database (a failover) may have
another clock, which counts from then on."""

ROUND_TRIP_S: Final = 0.5
"""An answer that took longer than this says too little about now."""

WORTH_TELLING_S: Final = 2.0
"""A machine that follows NTP is never so far off."""


class DatabaseClock:
    """Tells the time of the database without asking it each time: by how much it was ahead of this machine's time since
    the boot, which nobody sets, and which goes on while the machine sleeps.

    An SQLite file has no clock; all who use it are on one machine, and have its.
    """

    def __init__(self, database: Database, *, uptime: Callable[[], float] | None = None) -> None:
        self._database = database
        self._uptime = uptime or (lambda: time.clock_gettime(time.CLOCK_BOOTTIME))
        self._booted: datetime | None = None
        """The moment at which the uptime was 0, by the database."""

    def __call__(self) -> datetime:
        if self._booted is None:
            return datetime.now(UTC)
        return self._booted + timedelta(seconds=self._uptime())

    async def adjust(self) -> None:
        """Ask the database. Raises DatabaseUnavailableError."""
        if self._database.is_sqlite:
            return
        async with self._database.read() as session:
            await session.connection()  # making one is none of the way
            asked = self._uptime()
            told = await session.scalar(text("SELECT clock_timestamp()"))
            took = self._uptime() - asked
        assert isinstance(told, datetime)
        if took <= ROUND_TRIP_S or self._booted is None:
            off_s = (told - datetime.now(UTC)).total_seconds()
            if self._booted is None and abs(off_s) > WORTH_TELLING_S:
                log.warning(
                    "clock_skew_detected", seconds=round(off_s, 1), hint="The database's is used. Set up NTP on both."
                )
            self._booted = told.astimezone(UTC) - timedelta(seconds=asked + took / 2)
