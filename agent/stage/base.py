"""The stage as others know it: who owns the screen, and the windows that players draw into."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, Literal, Protocol

from agent.health import DisplayHealth
from agent.raw_picture import RawPicture

ImageFormat = Literal["png", "jpeg"]


class Layer(IntEnum):
    """The layers of windows, from the bottom up. A window never covers one of a layer above its own."""

    STREAM = 0
    """The stream."""
    OVERLAY = 1
    """A window beside it, such as a message or a clock."""
    TOP = 2
    """A window that must be seen whatever else is shown, such as a warning."""


@dataclass(frozen=True, slots=True)
class Place:
    """A rectangle of the screen, in parts of its width and height (0.0-1.0), so that it survives another resolution.

    Raises ValueError when it is empty or reaches beyond the screen.
    """

    x: float = 0.0
    y: float = 0.0
    width: float = 1.0
    height: float = 1.0

    def __post_init__(self) -> None:
        for start, length in ((self.x, self.width), (self.y, self.height)):
            if not (0.0 <= start < 1.0 and 0.0 < length <= 1.0 and start + length <= 1.0 + 1e-9):
                raise ValueError(f"{self} is not a part of the screen: all of it must lie between 0.0 and 1.0.")


WHOLE: Final = Place()
"""The whole screen."""


class Window(Protocol):
    """A window on a layer of its own choice. It is born hidden, painted with a sentinel that no media can equal, and it
    outlives the player that draws into it: what was drawn last stays until `close`."""

    @property
    def xid(self) -> int:
        """The X window id that a player is given."""

    @property
    def size(self) -> tuple[int, int]:
        """Its width and height in pixels."""

    async def paint(self, picture: RawPicture) -> None:
        """Draw a picture into the middle, on black, instead of a player. Raises PlayerUnavailableError."""

    async def first_pixel(self, *, pictures: Callable[[], int]) -> None:
        """Return when a picture has been drawn into the window.

        A window that turned black or white counts only once `pictures()` (the player's own count of displayed pictures)
        is above 0: players paint black before their first picture, browsers begin with a white page, and films open in
        black.
        Waits without limit: the caller bounds it. Raises PlayerUnavailableError when the display is lost.
        """

    async def show(self) -> None:
        """Raise the window over all others of its layer and below, at once and without black in between.

        Raises PlayerUnavailableError.
        """

    async def close(self) -> None:
        """Take the window away; what is underneath is seen again. Idempotent; never raises for a lost display."""

    async def lost(self) -> None:
        """Return when the display that the window was on is gone."""


class Stage(Protocol):
    """The screen."""

    @property
    def health(self) -> DisplayHealth:
        """The state of the display as last seen (at most some seconds ago)."""

    @property
    def has_picture(self) -> bool:
        """Return True if a window of a stream is shown. It keeps its picture after its player has gone."""

    async def open_window(self, *, layer: Layer = Layer.STREAM, place: Place = WHOLE) -> Window:
        """Make a hidden window that will fill `place`. Raises PlayerUnavailableError when there is no display."""

    async def snapshot(self, image_format: ImageFormat = "png", *, width: int | None = None) -> bytes:
        """The current content of the screen, encoded; `width` pixels wide if that is less than the screen. Raises
        PlayerUnavailableError if there is no display."""
