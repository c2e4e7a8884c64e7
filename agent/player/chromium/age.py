"""The age at which a browser is replaced: each night, or when it has grown."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterable
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Final

LOOK_EVERY_S: Final = 60.0
"""A leak of a page takes hours; a look costs 0.2 ms."""

GROWN_BY: Final = 300 * 1024 * 1024
"""Bytes since the first look: as much again as most pages take. The memory of a page goes up and down by 200 MB."""

NEVER: Final = "never"


async def until_old(renew_at: str, used: Callable[[], int], *, now: Callable[[], datetime] = datetime.now) -> str:
    """Wait until the browser is old, and return the reason. `renew_at` is a local time of day, or NEVER; `used` returns
    its bytes."""
    due = None if renew_at == NEVER else _next(time.fromisoformat(renew_at), now())
    await asyncio.sleep(LOOK_EVERY_S)
    at_first = used()
    while True:
        if due is not None and now() >= due:
            return "night"
        if used() > at_first + GROWN_BY:
            return "memory"
        await asyncio.sleep(LOOK_EVERY_S)


def bytes_of(pids: Iterable[int], *, proc: Path = Path("/proc")) -> int:
    """The memory that these processes use and share with no other."""
    pages = 0
    for pid in pids:
        try:
            _, resident, shared, *_ = (proc / str(pid) / "statm").read_text().split()
        except (OSError, ValueError):  # it has ended meanwhile
            continue
        pages += int(resident) - int(shared)
    return pages * os.sysconf("SC_PAGE_SIZE")


def _next(at: time, now: datetime) -> datetime:
    today = datetime.combine(now.date(), at, now.tzinfo)
    return today if today > now else today + timedelta(days=1)
