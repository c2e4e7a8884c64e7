"""The order of the test files: at most two at a time play in real time, and those beside them give way.

Three files that play side by side take more than the two processors of a machine of CI, and pictures come late.
"""

from __future__ import annotations

import os
from typing import Final

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling
from xdist.workermanage import WorkerController

PLAYING: Final = "tests/real/"
"""The folder whose files play."""
PLAYERS_LIMIT: Final = 2
"""One for each processor."""
GIVES_WAY: Final = 5
"""The nice value of tests that compute: they have a quarter of a processor that is wanted by both kinds."""


class Spread:
    """Registered by tests/conftest.py. Without effect where the tests have one process."""

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_make_scheduler(self, config: pytest.Config, log: Producer) -> SpreadScheduling:
        return SpreadScheduling(config, log)

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        if os.geteuid() == 0:  # others may not take it back
            os.setpriority(os.PRIO_PROCESS, 0, 0 if _plays(nodeid) else GIVES_WAY)


class SpreadScheduling(LoadFileScheduling):  # type: ignore[misc]  # pytest-xdist has no types
    """Gives a worker a file that plays while fewer than two others have one, and else the next that computes."""

    def _assign_work_unit(self, node: WorkerController) -> None:
        others = (units for other, units in self.assigned_work.items() if other is not node)
        playing = sum(any(_plays(file) and not all(done.values()) for file, done in units.items()) for units in others)
        file = next_file(list(self.workqueue), plays=playing < PLAYERS_LIMIT)
        self.workqueue.move_to_end(file, last=False)
        super()._assign_work_unit(node)


def next_file(waiting: list[str], *, plays: bool) -> str:
    """Return the first file of the kind that is wanted, or the first of all when there is none."""
    return next((file for file in waiting if _plays(file) is plays), waiting[0])


def _plays(file: str) -> bool:
    return file.startswith(PLAYING)
