"""The memory that this process and its children may still take."""

from __future__ import annotations

from pathlib import Path

_MEMINFO = Path("/proc/meminfo")
_OWN_GROUP = Path("/proc/self/cgroup")
_GROUPS = Path("/sys/fs/cgroup")


def available_bytes(meminfo: Path = _MEMINFO, own_group: Path = _OWN_GROUP, groups: Path = _GROUPS) -> int:
    """The memory that is available on the machine, or less if a control group (version 2) allows less. Takes 0.1 ms."""
    lines = meminfo.read_text().splitlines()
    machine = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    return min([machine, *_left_in_groups(own_group, groups)])


def _left_in_groups(own_group: Path, groups: Path) -> list[int]:
    """The memory that the limits of our control group and of its parents leave."""
    try:
        path = next(line[3:] for line in own_group.read_text().splitlines() if line.startswith("0::"))
    except (OSError, StopIteration):
        return []  # there is no version 2 here
    folder, left = groups / path.lstrip("/"), []
    for group in (folder, *folder.parents):
        if not group.is_relative_to(groups):
            break
        try:
            limit, used = (int((group / f"memory.{name}").read_text()) for name in ("max", "current"))
            stat = (group / "memory.stat").read_text()
        except (OSError, ValueError):  # the root has none; `max` is no limit
            continue
        left.append(max(0, limit - used + _reclaimable(stat)))
    return left


def _reclaimable(stat: str) -> int:
    """The part of a group's memory that caches files read only once; the kernel frees it first."""
    return sum(int(line.split()[1]) for line in stat.splitlines() if line.startswith("inactive_file "))
