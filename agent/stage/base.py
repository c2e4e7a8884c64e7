"""The stage as others know it: who owns the screen, and the windows that players draw into."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, Protocol

from agent.types import DisplayHealth

ImageFormat = Literal["png", "jpeg"]


class Window(Protocol):
    """A screen-sized window. It is born hidden, painted with a sentinel that no media can equal, and it outlives
    the player that draws into it: what was drawn last stays until `close`."""

    @property
    def xid(self) -> int:
        """The X window id that a player is given."""

    async def first_pixel(self, *, pictures: Callable[[], int]) -> None:
        """Return when a picture has been drawn into the window.

        A window that turned black counts only once `pictures()` (the player's own count of displayed pictures) is
        above 0, because players paint black before their first picture and films open in black.
        Waits without limit: the caller bounds it. Raises PlayerUnavailableError when the display is lost.
        """

    async def show(self) -> None:
        """Raise the window over all else, at once and without black in between. Raises PlayerUnavailableError."""

    async def close(self) -> None:
        """Take the window away; what is underneath is seen again. Idempotent; never raises for a lost display."""

    async def lost(self) -> None:
        """Return when the display that the window was on is gone."""


class Stage(Protocol):
    """The screen."""

    @property
    def health(self) -> DisplayHealth:
        """The state of the display as last seen (at most some seconds ago)."""

    async def open_window(self) -> Window:
        """A new hidden window. Raises PlayerUnavailableError when there is no display."""

    async def snapshot(self, image_format: ImageFormat = "png") -> bytes:
        """What the screen shows now, encoded. Raises PlayerUnavailableError when there is no display."""
