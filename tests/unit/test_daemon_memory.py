"""The daemon's memory stays flat: the remains of streams are collected soon."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

STREAMS = 1000
LEFT_BY_EACH = 5

PROGRAM = f"""
import gc
from collections import deque
from agent.daemon import settle_memory

class Cycle:
    def __init__(self):
        self.itself = self

settle_memory()
lasting = deque(maxlen=100 * {LEFT_BY_EACH})  # is garbage only when the collections of what is young have passed it
for _ in range({STREAMS}):
    for _ in range(60):
        Cycle()
    lasting.extend(Cycle() for _ in range({LEFT_BY_EACH}))
lasting.clear()
print(sum(isinstance(one, Cycle) for one in gc.get_objects()))
"""


def test_what_streams_leave_behind_in_cycles_is_collected_within_a_few_hundred_streams() -> None:
    done = subprocess.run(  # the collector is a whole process's
        [sys.executable, "-c", PROGRAM],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < STREAMS * LEFT_BY_EACH / 2
