"""Waiting for what a person in front of the screen would see."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from tests.support.clips import BOX_ROW
from tests.support.recorder import Recording, ScreenRecorder
from tests.support.screen import Screen
from tests.support.tools import wait_until

MOVES_WITHIN_S = 4.0
"""The clips have 25 pictures a second, and a player may fill its buffer after the first; the rest is for busy machines.
What stands still for longer is opened again after 5 s (`stall_timeout`), which is not to be taken for movement."""
LOOK_EVERY_S = 0.005
"""An eighth of a picture: nearer than that nobody can say when it moved last."""


def wait_colour(screen: Screen, colour: str, *, timeout_s: float = 10.0) -> None:
    """Return when the centre of the screen has this colour. Raises TimeoutError that says what was seen instead."""
    seen = ""

    def has_it() -> bool:
        nonlocal seen
        seen = screen.colour_at_centre()
        return seen == colour

    try:
        wait_until(has_it, timeout_s=timeout_s, what=colour)
    except TimeoutError:
        raise TimeoutError(f"The screen was not {colour} within {timeout_s} s but {seen}") from None


def wait_moves(screen: Screen, colour: str, *, timeout_s: float = MOVES_WITHIN_S) -> None:
    """Return when the picture has moved on and its centre still has this colour. Raises TimeoutError.

    One change is no movement: the first picture may be drawn again, scaled by another program.
    """
    for _ in range(2):
        before = _row(screen)
        wait_until(lambda before=before: _row(screen) != before, timeout_s=timeout_s, what=f"{colour} to move")  # type: ignore[misc]
    wait_colour(screen, colour, timeout_s=0.0)


def record_switches(display: str, start: Callable[[str], object], order: Sequence[tuple[str, str]]) -> Recording:
    """Record the screen while one address after the other is started, each when the colour of the one before moves.
    Raises TimeoutError."""
    with Screen(display) as screen, ScreenRecorder(display) as recorder:
        for colour, url in order:
            start(url)
            wait_moves(screen, colour)
        return recorder.stop()


def last_movement(screen: Screen, *, still_for_s: float, timeout_s: float) -> float:
    """The monotonic time at which the picture moved last, once it has stood still for so long. Raises TimeoutError."""
    row, at = _row(screen), time.monotonic()
    deadline = at + timeout_s
    while time.monotonic() - at < still_for_s:
        now = _row(screen)
        if now != row:
            row, at = now, time.monotonic()
        if at > deadline:
            raise TimeoutError(f"The picture still moved after {timeout_s} s")
        time.sleep(LOOK_EVERY_S)
    return at


def _row(screen: Screen) -> bytes:
    width, height = screen.size()
    [row] = screen.areas([(0, int(height * BOX_ROW), width, 1)])
    return row
