"""The resources that processes use, read from /proc (see proc(5))."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

TICK_S = 1 / os.sysconf("SC_CLK_TCK")
"""The kernel counts a process's time in these."""


@dataclass(frozen=True, slots=True)
class Memory:
    """The memory of processes, in MiB."""

    rss: float
    pss: float
    """Pages that several processes share are divided among them."""


def processes_with(variable: str, value: str) -> list[int]:
    """The ids of all processes that were given this in their environment, zombies apart."""
    wanted = f"{variable}={value}".encode()
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # gone meanwhile, or another user's
            if wanted in (folder / "environ").read_bytes().split(b"\0"):
                found.append(int(folder.name))
    return sorted(found)


def command_of(pid: int) -> list[str]:
    """The words it was started with; empty when it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")[:-1]
    except OSError:
        return []


def group_of(pid: int) -> list[int]:
    """The ids of all processes of the group that `pid` leads. A browser overwrites the environment of its processes, so
    `processes_with` does not find them."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(ProcessLookupError):
            if os.getpgid(int(folder.name)) == pid:
                found.append(int(folder.name))
    return sorted(found)


def family(pid: int) -> list[int]:
    """A process and its children. Raises OSError when it is gone."""
    return [pid, *_children(pid)]


def zombies_of(pid: int) -> int:
    """Children that have ended and were not waited for."""
    zombies = 0
    for child in _children(pid):
        with contextlib.suppress(OSError):  # gone meanwhile
            zombies += _stat(child)[0] == "Z"
    return zombies


def cpu_s(pid: int) -> float:
    """Seconds of processor time so far, all threads, without children. Raises OSError when it is gone."""
    fields = _stat(pid)
    return (int(fields[11]) + int(fields[12])) * TICK_S


def cpu_exactly_s(pid: int) -> float:
    """The same in nanoseconds, of the threads that there are now: for what uses less than a tick in a minute."""
    spent = (int((task / "schedstat").read_text().split()[0]) for task in Path(f"/proc/{pid}/task").iterdir())
    return sum(spent) / 1e9


def memory(pid: int) -> Memory:
    """Raises OSError when it is gone."""
    kib = {}
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]:
        name, value, *_ = line.split()
        kib[name] = int(value)
    return Memory(kib["Rss:"] / 1024, kib["Pss:"] / 1024)


def memory_of(pids: Iterable[int]) -> Memory:
    """The memory of all of them together; pages that they share count once for each in `rss`."""
    each = [memory(pid) for pid in pids]
    return Memory(sum(one.rss for one in each), sum(one.pss for one in each))


def descriptors(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


def threads(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/task"))


def _children(pid: int) -> list[int]:
    children: list[int] = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(OSError):
            children += map(int, (task / "children").read_text().split())
    return children


def _stat(pid: int) -> list[str]:
    # The second field, the name, may hold spaces and brackets; what follows it may not.
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
