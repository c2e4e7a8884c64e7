"""The resources that the daemon and its player processes use, from /proc (see proc(5))."""

from __future__ import annotations

import os
import resource
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

_PAGE: Final = os.sysconf("SC_PAGE_SIZE")
_TICKS: Final = os.sysconf("SC_CLK_TCK")
_UTIME, _STIME, _RSS = 11, 12, 21
"""Places in `stat`, counted from the state of the process."""


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
    return Use(1, int(_stat("self")[_RSS]) * _PAGE, time.process_time())


def children_use() -> Use:
    """The resources of its children. Takes some 0.02 ms for each of them and for each thread of this process, and waits
    for no disk."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s, resident, count = ended.ru_utime + ended.ru_stime, 0, 0
    for pid in _children():
        with suppress(OSError):  # it has ended meanwhile
            fields = _stat(pid)
            resident += int(fields[_RSS]) * _PAGE
            cpu_s += (int(fields[_UTIME]) + int(fields[_STIME])) / _TICKS
            count += 1
    return Use(count, resident, cpu_s)


def _children() -> list[str]:
    found: list[str] = []
    for task in os.listdir("/proc/self/task"):
        with suppress(OSError):  # a thread that has ended, or a kernel without CONFIG_PROC_CHILDREN
            found += _read(f"/proc/self/task/{task}/children").decode().split()
    return found


def _stat(pid: str) -> list[bytes]:
    """The fields behind the name of the program, which may hold blanks."""
    return _read(f"/proc/{pid}/stat").rpartition(b")")[2].split()


def _read(file: str) -> bytes:
    with open(file, "rb", buffering=0) as opened:
        return opened.read()
