"""The resources of processes, compared with what the kernel tells of them elsewhere."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from agent.host.processes import children_use, daemon_use

NAMED = """
import time
open("/proc/self/comm", "w").write("a) 1 (2")
while time.process_time() < 0.3:
    pass
held = bytearray(30_000_000)
print("ready", flush=True)
input()
"""
"""A child whose name looks like fields of `stat`."""


def test_a_child_counts_with_its_memory_and_its_time() -> None:
    before = children_use()
    with subprocess.Popen([sys.executable, "-c", NAMED], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"ready\n"
        there = children_use()
        resident = _resident(child.pid)
        child.communicate(b"\n")
    after = children_use()
    assert there.count - before.count == 1
    assert abs(there.resident_bytes - before.resident_bytes - resident) < 5_000_000, "pages are counted in portions"
    assert resident > 30_000_000
    assert there.cpu_s - before.cpu_s >= 0.25
    assert after.count == before.count
    assert after.cpu_s >= there.cpu_s, "what has ended still counts"


def test_the_daemon_is_this_process() -> None:
    use = daemon_use()
    assert use.count == 1
    assert abs(use.resident_bytes - _resident("self")) < 5_000_000
    assert use.cpu_s > 0


def _resident(pid: int | str) -> int:
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1]) * 1024
