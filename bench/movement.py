"""The movement of the picture on a screen, and its beginning."""

from __future__ import annotations

import time
import zlib
from collections.abc import Sequence

from bench.screens import SIZE, Eye
from tests.support.clips import BOX_ROW
from tests.support.running import Beside
from tests.support.screen import Screen
from tests.support.tools import wait_until

STILL_S = 0.4
"""Ten pictures of the clips: what does not change for longer stands still."""

LOOK_EVERY_S = 0.01
"""The clips have a new picture every 40 ms."""


class Movement(Beside):
    """`with Movement(eye) as movement: movement.since()`. It looks on from a thread of its own. Times are monotonic."""

    def __init__(self, eye: Eye) -> None:
        super().__init__(f"movement-{eye.display}")
        self._eye = eye
        self._changes: list[float] = []

    def since(self) -> float | None:
        """The time at which the current movement began; None while the picture stands still."""
        return moving_since(self._changes, now=time.monotonic())

    def last(self) -> float:
        """The time at which the picture last changed. Raises IndexError if it never did."""
        return self._changes[-1]

    def wait_steady(self, seconds: float, *, timeout_s: float) -> None:
        """Return when it has moved for so long. Raises TimeoutError."""

        def is_steady() -> bool:
            since = self.since()
            return since is not None and time.monotonic() - since >= seconds

        wait_until(is_steady, timeout_s=timeout_s, what=f"pictures that move on {self._eye.display}")

    def _work(self) -> None:
        row = 0
        with Screen(self._eye.display, guarded=False) as screen:
            while not self._over.wait(LOOK_EVERY_S):
                [data] = screen.areas([(0, int(SIZE[1] * BOX_ROW), SIZE[0], 1)])
                seen = zlib.crc32(data)
                if seen != row:
                    row = seen
                    self._changes.append(time.monotonic())


def moving_since(changes: Sequence[float], *, now: float) -> float | None:
    """The time at which the last unbroken movement began; None if it is over. `changes` are the times of new
    pictures."""
    began: float | None = None
    later = now
    for change in reversed(changes):
        if later - change > STILL_S:
            break
        began = later = change
    return began


def back_after(changes_since: float | None, *, returned_at: float) -> float | None:
    """Seconds from the return of a source to pictures that move; 0 for those that moved all the time."""
    return None if changes_since is None else max(0.0, changes_since - returned_at)
