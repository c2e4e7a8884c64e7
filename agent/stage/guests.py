"""The windows that players make inside ours. The stage maps them (SubstructureRedirect), for two reasons.

libVLC's X11 output makes its window as large as the film is, shows it, draws one picture, and then brings it to its
place: a small picture in a corner would be seen. So a window is mapped once it reaches from edge to edge, in width or
in height. That output also gives its window a black background, which would be seen until its first picture: it is
mapped without.

What that output draws before is lost, and it draws the next picture 40-200 ms later. So as long as nobody sees our
window, it is mapped at once, and the picture in it is brought to its place with it.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from agent.stage import requests
from agent.stage.pixels import read_rows
from agent.stage.requests import Tools
from agent.stage.scaling import Copy
from agent.stage.screen import Area, Screen
from agent.stage.sentinel import Sentinel, Verdict
from agent.stage.xcb import Xcb, xcffib, xproto

REQUESTS: Final = (xproto.MapRequestEvent, xproto.ConfigureRequestEvent)
"""The events for `obey`."""
ROUNDED: Final = 2
"""Pixels that a film in its place may be short of an edge on each side: players round its size."""


@dataclass(frozen=True, slots=True)
class Blank:
    """What belongs to a window of ours that is hidden and shows its sentinel alone."""

    sentinel: Sentinel
    screen: Screen
    tools: Tools


class Guests:
    """Those of one connection. For the connection's thread."""

    def __init__(self) -> None:
        self._blanks: dict[int, Blank] = {}
        self._unplaced: dict[int, int] = {}
        """The ones that wait for their place, and the windows of ours that they are in."""

    def expect(self, window: int, blank: Blank) -> None:
        """Expect the first picture in a window of ours."""
        self._blanks[window] = blank

    def expect_no_more(self, xcb: Xcb, window: int) -> None:
        """The window has a picture, is about to be seen, or is gone. Idempotent."""
        if self._blanks.pop(window, None) is not None:
            for guest in [guest for guest, ours in self._unplaced.items() if ours == window]:
                xcb.core.UnmapWindow(guest)

    def is_settling(self, window: int) -> bool:
        """Return True while a player's window inside this one waits for its place: what is seen is not in its place."""
        return window in self._blanks and window in self._unplaced.values()

    def forget(self, xcb: Xcb, window: int) -> None:
        """Forget a window that is gone: its id may be that of another one soon. Idempotent."""
        ours = self._unplaced.pop(window, 0)
        if (blank := self._blanks.get(ours)) is not None:  # it may have left a picture
            with suppress(xcffib.Error):
                requests.paint_sentinel(xcb, blank.tools, ours, blank.sentinel, _area(xcb, ours))

    def obey(self, xcb: Xcb, event: Any) -> None:
        """Do what a player asked for, as far as it is to be done now."""
        window, ours = event.window, event.parent
        with suppress(xcffib.Error):  # the player has gone
            copy = None
            if isinstance(event, xproto.MapRequestEvent):
                self._unplaced[window] = ours
            else:
                copy = self._copy(xcb, event) if window in self._unplaced else None
                _configure(xcb, event)
            if window in self._unplaced:
                self._settle(xcb, window, ours, copy)
        xcb.flush()

    def _settle(self, xcb: Xcb, window: int, ours: int, copy: Copy | None) -> None:
        area, room = _area(xcb, window), _area(xcb, ours)
        missing = room.width - area.width, room.height - area.height
        is_placed = abs(min(missing)) <= 2 * ROUNDED  # and in the other direction it leaves room, or none
        # What reaches over our edge is not kept by the X server, so it could not be scaled.
        if is_placed or (min(missing) >= 0 and self._form_of(xcb, window, ours)):
            xcb.core.ChangeWindowAttributes(window, xproto.CW.BackPixmap, [0])
            xcb.core.MapWindow(window)
        if is_placed:
            del self._unplaced[window]
        if copy is not None:
            copy.fill(window, area)

    def _copy(self, xcb: Xcb, event: Any) -> Copy | None:
        """A copy of what a window shows that is about to have another size; None if it shows nothing."""
        sized = xproto.ConfigWindow.Width | xproto.ConfigWindow.Height
        if event.value_mask & sized != sized or not (form := self._form_of(xcb, event.window, event.parent)):
            return None
        blank, room, area = self._blanks[event.parent], _area(xcb, event.parent), _area(xcb, event.window)
        if (event.width, event.height) == (area.width, area.height):
            return None
        rows = read_rows(xcb, event.parent, [min(area.y + area.height // 2, room.height - 1)], room.width)
        if blank.sentinel.judge(rows, room.width) is not Verdict.PICTURE:
            return None
        return Copy(xcb, event.window, area, depth=blank.screen.format.depth, form=form)

    def _form_of(self, xcb: Xcb, window: int, ours: int) -> int:
        """The X server's name for the pixels of a window, if what it shows can be scaled; else 0."""
        if (blank := self._blanks.get(ours)) is None or not blank.screen.picture_formats:
            return 0
        return blank.screen.picture_formats.get(xcb.core.GetWindowAttributes(window).reply().visual, 0)


def _configure(xcb: Xcb, event: Any) -> None:
    given = (event.x, event.y, event.width, event.height, event.border_width, event.sibling, event.stack_mode)
    values = [value & 0xFFFFFFFF for bit, value in enumerate(given) if event.value_mask & 1 << bit]
    xcb.core.ConfigureWindow(event.window, event.value_mask, values)


def _area(xcb: Xcb, window: int) -> Area:
    found: Any = xcb.core.GetGeometry(window).reply()
    return Area(found.x, found.y, found.width, found.height)
