"""A player as the stage sees one: another process that draws into a window, and that can be killed.

Run as a program it takes one JSON command a line and answers each with a line when the X server has done it.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from types import TracebackType
from typing import Any

from tests.support.colours import PALETTE
from tests.support.tools import LOOK_EVERY_S, end

LOOKS_LIMIT = 200
"""2 s: the stage obeys at once."""
LARGEST = 8192
"""Wider than any screen here. Not 65535: Xvfb computes in 16 bits with a sign what it has to bring to the screen."""


class Painter:
    """Draws into window `xid`. `child` makes a window of its own inside (as libVLC's X11 output and mpv do);
    without one it draws into the window itself (as libVLC's GL output does)."""

    def __init__(self, display: str, xid: int) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.painter", display, str(xid)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def __enter__(self) -> Painter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    @property
    def pid(self) -> int:
        return self._process.pid

    def child(self, x: int, y: int, width: int, height: int) -> None:
        """Make the own window, or move and resize it. Returns when the stage has done so."""
        self._do("child", [x, y, width, height])

    def ask_for_child(self, x: int, y: int, width: int, height: int) -> None:
        """Ask for the same, and do not wait."""
        self._do("ask", [x, y, width, height])

    def fill(self, colour: str, *, rows: tuple[int, int] | None = None) -> None:
        """Paint all of the window (or `rows`, from and to) in a palette colour."""
        red, green, blue = PALETTE[colour]
        self._do("fill", [red << 16 | green << 8 | blue, *(rows or (0, LARGEST))])

    def kill(self) -> None:
        """SIGKILL. Idempotent; returns when the process is gone."""
        if self._process.poll() is None:
            self._process.kill()
        end(self._process)

    def _do(self, command: str, arguments: list[int]) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([command, arguments]).encode() + b"\n")
        self._process.stdin.flush()
        if not self._process.stdout.readline():
            raise RuntimeError("The painter died")


def main() -> None:
    import xcffib
    from xcffib import xproto

    connect: Any = xcffib.connect
    connection = connect(sys.argv[1])
    core, root = connection.core, connection.get_setup().roots[0]
    window, child = int(sys.argv[2]), 0
    gc = connection.generate_id()
    core.CreateGC(gc, window, 0, [])
    visuals = {visual.visual_id: visual for depth in root.allowed_depths for visual in depth.visuals}
    visual = visuals[core.GetWindowAttributes(window).reply().visual]
    for line in sys.stdin:
        command, arguments = json.loads(line)
        if command in ("child", "ask"):
            if child:
                core.ConfigureWindow(child, 15, list(arguments))
            else:
                child = connection.generate_id()
                # The background is as libVLC's X11 output has it; the others allow for another depth than its parent's.
                look = {xproto.CW.BackPixel: 0, xproto.CW.BorderPixel: 0, xproto.CW.Colormap: root.default_colormap}
                kind = (0, 1, root.root_visual, sum(look), list(look.values()))
                core.CreateWindow(root.root_depth, child, window, *arguments, *kind)
                core.MapWindow(child)
                gc, visual = connection.generate_id(), visuals[root.root_visual]
                core.CreateGC(gc, child, 0, [])
            if command == "child":
                _until_there(core, child, tuple(arguments))
        else:
            colour, top, bottom = arguments
            pixel = _pixel(colour, visual)
            core.ChangeGC(gc, xproto.GC.Foreground, [pixel])
            area = xproto.RECTANGLE.synthetic(0, top, LARGEST, bottom - top)  # type: ignore[no-untyped-call]
            core.PolyFillRectangle(child or window, gc, 1, [area])
        core.GetInputFocus().reply()
        print("done", flush=True)


def _until_there(core: Any, child: int, place: tuple[int, ...]) -> None:
    """Return when the stage has mapped and placed a window: a player draws again, and this one does not."""
    for _ in range(LOOKS_LIMIT):
        is_seen = core.GetWindowAttributes(child).reply().map_state == 2  # Viewable
        at = core.GetGeometry(child).reply()
        if is_seen and (at.x, at.y, at.width, at.height) == place:
            return
        time.sleep(LOOK_EVERY_S)
    raise RuntimeError("The stage did not map and place the window")


def _pixel(colour: int, visual: Any) -> int:
    """0xrrggbb as this visual has it."""
    parts = ((colour >> 16, visual.red_mask), (colour >> 8 & 255, visual.green_mask), (colour & 255, visual.blue_mask))
    return sum((part * (mask // (mask & -mask)) // 255) * (mask & -mask) for part, mask in parts)


if __name__ == "__main__":
    main()
