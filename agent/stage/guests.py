"""The windows that players make inside ours. The stage maps them (SubstructureRedirect), for two reasons.

libVLC's X11 output makes its window as large as the film is, shows it, draws, and then brings it to its place: a small
picture in a corner would be seen. So a window is mapped once it reaches from edge to edge, in width or in height. That
output also gives its window a black background, which would be seen until its first picture: it is mapped without.

A picture that was drawn before is lost. libVLC draws the same one again within 80 ms (src/video_output of VLC 3), and
does not draw at all into a window that is not visible.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Final

from agent.stage.xcb import Xcb, xcffib, xproto

REQUESTS: Final = (xproto.MapRequestEvent, xproto.ConfigureRequestEvent)
"""The events for `obey`."""
ROUNDED: Final = 2
"""Pixels that a film in its place may be short of an edge on each side: players round its size."""


class Guests:
    """Those of one connection. For the connection's thread."""

    def __init__(self) -> None:
        self._unmapped: set[int] = set()
        """The ones that wait for their place."""

    def forget(self, window: int) -> None:
        """Forget a window that is gone: its id may be that of another one soon. Idempotent."""
        self._unmapped.discard(window)

    def obey(self, xcb: Xcb, event: Any) -> None:
        """Do what a player asked for, as far as it is to be done now."""
        with suppress(xcffib.Error):  # the player has gone
            if isinstance(event, xproto.MapRequestEvent):
                self._unmapped.add(event.window)
            else:
                _configure(xcb, event)
            if event.window in self._unmapped and _is_placed(xcb, event.window, event.parent):
                self._unmapped.discard(event.window)
                xcb.core.ChangeWindowAttributes(event.window, xproto.CW.BackPixmap, [0])
                xcb.core.MapWindow(event.window)
        xcb.flush()


def _configure(xcb: Xcb, event: Any) -> None:
    given = (event.x, event.y, event.width, event.height, event.border_width, event.sibling, event.stack_mode)
    values = [value & 0xFFFFFFFF for bit, value in enumerate(given) if event.value_mask & 1 << bit]
    xcb.core.ConfigureWindow(event.window, event.value_mask, values)


def _is_placed(xcb: Xcb, window: int, parent: int) -> bool:
    """Return True if it reaches from one edge of our window to the other. Raises xcffib.Error."""
    asked = [xcb.core.GetGeometry(each) for each in (window, parent)]
    size, room = (each.reply() for each in asked)
    return bool(size.width >= room.width - 2 * ROUNDED or size.height >= room.height - 2 * ROUNDED)
