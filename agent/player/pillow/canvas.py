"""The canvas of a picture: a window of the stage, through an X connection of the player's own."""

from __future__ import annotations

import select
import time
from typing import Any

import xcffib as _xcffib
import xcffib.xproto as _xproto
from PIL import Image

from agent.util.ximage import Layout, put

xcffib: Any = _xcffib
xproto: Any = _xproto


class Canvas:
    """Used on one thread. What is shown is kept in a pixmap, so that the window is changed in one step and can be
    painted again. Raises xcffib's ConnectionException when the X server is gone."""

    def __init__(self, window: int) -> None:
        self._window = window
        self._x: Any = xcffib.connect()
        core, setup = self._x.core, self._x.get_setup()
        root = setup.roots[self._x.pref_screen]
        visuals = {visual.visual_id: visual for depth in root.allowed_depths for visual in depth.visuals}
        geometry = core.GetGeometry(window).reply()
        visual = visuals[core.GetWindowAttributes(window).reply().visual]
        self._depth = geometry.depth
        self._layout = Layout(
            bits=next(f.bits_per_pixel for f in setup.pixmap_formats if f.depth == self._depth),
            little_endian=setup.image_byte_order == xproto.ImageOrder.LSBFirst,
            masks=(visual.red_mask, visual.green_mask, visual.blue_mask),
        )
        self._gc = self._x.generate_id()
        core.CreateGC(self._gc, window, xproto.GC.Foreground | xproto.GC.GraphicsExposures, [0, 0])
        events = xproto.EventMask.StructureNotify | xproto.EventMask.Exposure
        core.ChangeWindowAttributes(window, xproto.CW.EventMask, [events])
        self._pixmap = 0
        self.size: tuple[int, int] = (0, 0)
        self._resize(geometry.width, geometry.height)

    def show(self, picture: Image.Image) -> None:
        """Put it in the middle of the window, with black around it, in one step."""
        core, (width, height) = self._x.core, self.size
        left, top = (width - picture.width) // 2, (height - picture.height) // 2
        core.PolyFillRectangle(self._pixmap, self._gc, 1, [xproto.RECTANGLE.synthetic(0, 0, width, height)])
        place = {"drawable": self._pixmap, "gc": self._gc, "depth": self._depth, "left": left, "top": top}
        put(self._x, self._layout.pack(picture), **place)
        self._copy()
        core.GetInputFocus().reply()  # until then it may be on its way still

    def wait(self, seconds: float | None) -> bool:
        """Keep what is shown for so long, None: for good; False when the window has got another size meanwhile."""
        until = None if seconds is None else time.monotonic() + seconds
        while True:
            changed = False
            while (event := self._x.poll_for_event()) is not None:
                if isinstance(event, xproto.ExposeEvent):
                    self._copy()
                elif isinstance(event, xproto.ConfigureNotifyEvent) and event.window == self._window:
                    changed = self._resize(event.width, event.height) or changed
            if changed:
                return False
            self._x.flush()
            left = None if until is None else until - time.monotonic()
            if left is not None and left <= 0:
                return True
            select.select([self._x.get_file_descriptor()], [], [], left)
            if self._x.has_error():
                raise xcffib.ConnectionException("the X server is gone")

    def _resize(self, width: int, height: int) -> bool:
        if (width, height) == self.size:
            return False
        if self._pixmap:
            self._x.core.FreePixmap(self._pixmap)
        self._pixmap = self._x.generate_id()
        self._x.core.CreatePixmap(self._depth, self._pixmap, self._window, width, height)
        self.size = (width, height)
        return True

    def _copy(self) -> None:
        self._x.core.CopyArea(self._pixmap, self._window, self._gc, 0, 0, 0, 0, *self.size)
