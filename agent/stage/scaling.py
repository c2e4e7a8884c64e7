"""Scaling of what a window shows, done by the X server (its Render extension): no pixel leaves it."""

from __future__ import annotations

from typing import Any, Final

from agent.stage.screen import Area
from agent.stage.xcb import Xcb, render, xproto

_FIXED: Final = 1 << 16
"""One, as the extension's numbers have it: 16 bits before the point and 16 behind it."""


class Copy:
    """A copy of what a window shows."""

    def __init__(self, xcb: Xcb, window: int, area: Area, *, depth: int, form: int) -> None:
        """`form` is the extension's name for the pixels of the window, and `depth` their bits of colour."""
        self._xcb = xcb
        self._area = area
        self._form = form
        self._pixmap, self._picture = xcb.generate_id(), xcb.generate_id()
        xcb.core.CreatePixmap(depth, self._pixmap, window, area.width, area.height)
        # Its edge goes on beyond it; else the edge would be mixed with black.
        self._call.CreatePicture(self._picture, self._pixmap, form, render.CP.Repeat, [render.Repeat.Pad])
        self._draw(self._picture_of(window), self._picture, area)

    def fill(self, window: int, area: Area) -> None:
        """Fill a window of this size with it. Called once: nothing is left of it in the X server."""
        across, down = (_FIXED * a // b for a, b in zip(_size(self._area), _size(area), strict=True))
        matrix = render.TRANSFORM.synthetic(across, 0, 0, 0, down, 0, 0, 0, _FIXED)
        self._call.SetPictureTransform(self._picture, matrix)
        self._call.SetPictureFilter(self._picture, len("bilinear"), "bilinear", 0, [])
        target = self._picture_of(window)
        self._draw(self._picture, target, area)
        self._call.FreePicture(target)
        self._xcb.core.FreePixmap(self._pixmap)

    def _draw(self, source: int, target: int, area: Area) -> None:
        """Draw one picture over another, and free the first."""
        self._call.Composite(render.PictOp.Src, source, xproto.Pixmap._None, target, 0, 0, 0, 0, 0, 0, *_size(area))
        self._call.FreePicture(source)

    def _picture_of(self, window: int) -> int:
        picture = self._xcb.generate_id()
        self._call.CreatePicture(picture, window, self._form, 0, [])
        return int(picture)

    @property
    def _call(self) -> Any:
        return self._xcb(render.key)


def _size(area: Area) -> tuple[int, int]:
    return area.width, area.height
