"""The resources that the daemon and its player processes use, from /proc (see proc(5))."""

from __future__ import annotations

import os
import resource
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_PAGE: Final = os.sysconf("SC_PAGE_SIZE")
_TICKS: Final = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Use:
    """The resources that some processes use together."""

    count: int
    resident_bytes: int
    """Shared pages count in each of them."""
    cpu_s: float
    """Since they began; those that have ended included."""


def daemon_use() -> Use:
    """The resources of this process."""
    return Use(1, _resident("self"), time.process_time())


def children_use() -> Use:
    """The resources of its children. Takes some 0.1 ms for each of them."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s, resident, count = ended.ru_utime + ended.ru_stime, 0, 0
    for pid in _children():
        with suppress(OSError):  # it has ended meanwhile
            fields = Path("/proc", pid, "stat").read_text().rpartition(")")[2].split()
            resident += _resident(pid)
            cpu_s += (int(fields[11]) + int(fields[12])) / _TICKS
            count += 1
    return Use(count, resident, cpu_s)


def _children() -> list[str]:
    found: list[str] = []
    for task in Path("/proc/self/task").iterdir():
        with suppress(OSError):  # a thread that has ended, or a kernel without CONFIG_PROC_CHILDREN
            found += (task / "children").read_text().split()
    return found


def _resident(pid: str) -> int:
    return int(Path("/proc", pid, "statm").read_text().split()[1]) * _PAGE
