"""The picture behind all windows."""

from __future__ import annotations

from PIL import Image

from agent.stage import requests
from agent.stage.requests import Tools
from agent.stage.screen import Screen
from agent.stage.xcb import Xcb


class Backdrop:
    """A picture in the middle of the curtain, below all windows; the X server draws it whenever it is uncovered, and
    keeps it in the middle. Used on the connection's thread alone."""

    def __init__(self) -> None:
        self._window = 0

    def show(self, xcb: Xcb, screen: Screen, tools: Tools, curtain: int, picture: Image.Image) -> None:
        """Take the place of the picture before, without black in between."""
        before = self._window
        self._window = requests.make_backdrop(xcb, screen, tools, curtain, picture)
        if before:
            requests.destroy_window(xcb, before)

    def clear(self, xcb: Xcb) -> None:
        """Leave the curtain black. Idempotent."""
        before, self._window = self._window, 0
        if before:
            requests.destroy_window(xcb, before)
