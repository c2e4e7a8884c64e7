"""The screens that are measured: what is seen on them, and windows for players that have no stage of their own."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Any

import xcffib
import xcffib.xproto

from tests.support.colours import name_of
from tests.support.looking import last_movement
from tests.support.screen import Screen
from tests.support.xserver import XServer

_connect: Any = xcffib.connect  # xcffib has no types

SIZE = (1280, 720)

LOOK_AGAIN_S = 0.0005
"""The pause between two looks at a pixel; with the look itself, some 1,500 looks a second."""

STUCK_S = 1.0
"""A picture that has not moved for so long does not go on alone: a player that fills its buffer stands for 0.2 s."""
STUCK_WITHIN_S = 15.0
"""The time within which the stuck media gets stuck: it has 2 s of pictures."""

EMPTY = 0x123456
"""The colour of an empty window; no palette colour is like it."""


class Eye:
    """An X server of the bench's own, and a look at its root window. `with Eye() as eye: eye.first_seen("green")`."""

    def __init__(self) -> None:
        self._server = XServer(SIZE)
        self._screen: Screen | None = None

    @property
    def display(self) -> str:
        return self._server.display

    @property
    def pid(self) -> int:
        """The X server's."""
        [pid] = self._server.pids
        return pid

    def __enter__(self) -> Eye:
        self._server.start()
        try:
            self._screen = Screen(self.display, guarded=False)
        except BaseException:
            self._server.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._screen is not None:
            self._screen.close()
        self._server.stop()

    def sees(self) -> str:
        """The palette colour in the middle of the screen now, or `other`."""
        assert self._screen is not None
        return name_of(self._screen.pixel(SIZE[0] // 2, SIZE[1] // 2))

    def first_seen(self, colour: str, *, timeout_s: float) -> float:
        """Look until the colour is in the middle; that moment, by `time.perf_counter`. Raises TimeoutError."""
        deadline = time.perf_counter() + timeout_s
        while True:
            seen, now = self.sees(), time.perf_counter()
            if seen == colour:
                return now
            if now > deadline:
                raise TimeoutError(f"No {colour} within {timeout_s:g} s on {self.display}, only {seen}")
            time.sleep(LOOK_AGAIN_S)

    def wait_stuck(self) -> None:
        """Return when the picture stands still. Raises TimeoutError."""
        assert self._screen is not None
        last_movement(self._screen, still_for_s=STUCK_S, timeout_s=STUCK_WITHIN_S)


class Panes:
    """Makes windows on a display, each over the ones before it. `with Panes(display) as panes: panes.open()`."""

    def __init__(self, display: str) -> None:
        self._connection: Any = _connect(display)
        self._root = self._connection.get_setup().roots[0].root

    def __enter__(self) -> Panes:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.disconnect()

    def open(self, *, behind: bool = False) -> int:
        """A window that fills the screen, empty and seen, or behind all others; its id."""
        core, attributes = self._connection.core, xcffib.xproto.CW
        xid: int = self._connection.generate_id()
        copied = xcffib.CopyFromParent
        core.CreateWindow(
            copied,
            *(xid, self._root, 0, 0, *SIZE, 0),
            xcffib.xproto.WindowClass.InputOutput,
            copied,
            attributes.BackPixel | attributes.OverrideRedirect,
            [EMPTY, 1],
        )
        if behind:
            below = xcffib.xproto.StackMode.Below
            core.ConfigureWindow(xid, xcffib.xproto.ConfigWindow.StackMode, [below])
        core.MapWindow(xid, is_checked=True).check()
        return xid

    def close(self, xid: int) -> None:
        self._connection.core.DestroyWindow(xid, is_checked=True).check()
