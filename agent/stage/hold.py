"""The display that the stage has at the moment, and the windows on it."""

from __future__ import annotations

from PIL import Image

from agent.errors import PlayerUnavailableError
from agent.stage import requests
from agent.stage.adoption import Adoptions
from agent.stage.power import Power
from agent.stage.screen import Area
from agent.stage.window import Floor, X11Window
from agent.stage.xcb import Xcb


class Hold:
    """The windows of one connection. It ends with its connection."""

    def __init__(self, floor: Floor, name: str, monitor: Area, power: Power) -> None:
        self.floor = floor
        self._power = power
        self.name = name
        self.monitor = monitor
        self.adoptions = Adoptions(floor.connection, floor.screen.root)
        self.windows: dict[int, X11Window] = {}
        """All that are not closed, by window id."""
        self.seen: list[X11Window] = []
        """The windows that are shown, the one that was shown last first."""

    @property
    def main(self) -> X11Window | None:
        """The one that a person looks at: the topmost of the lowest layer, because what is above it is smaller."""
        return min(self.seen, key=lambda window: window.layer, default=None)

    def shown(self, window: X11Window) -> None:
        """Record that a window was raised."""
        if self.windows.get(window.xid) is not window:
            return
        self._power.shown()
        self.seen = [window, *(other for other in self.seen if other is not window)]

    def closed(self, window: X11Window) -> bool:
        """Forget a window that is about to be destroyed. Return True if it was one of these."""
        if self.windows.get(window.xid) is not window:
            return False
        del self.windows[window.xid]
        if window in self.seen:
            self.seen.remove(window)
            if not self.seen:
                self._power.closed()
        return True

    async def set_backdrop(self, picture: Image.Image | None) -> None:
        """See the stage."""
        floor = self.floor
        if not floor.curtain:
            raise PlayerUnavailableError(
                "There is no place for a picture below the windows: the desktop is seen there."
            )

        def put(xcb: Xcb) -> None:
            if picture is None:
                floor.backdrop.clear(xcb)
            else:
                floor.backdrop.show(xcb, floor.screen, floor.tools, floor.curtain, picture)

        await floor.connection.call(put)

    def move_to(self, monitor: Area) -> None:
        """Bring everything to where the monitor is now."""
        self.monitor, curtain = monitor, self.floor.curtain
        if curtain:
            self.floor.connection.post(lambda xcb: requests.place_window(xcb, curtain, monitor))
        for window in self.windows.values():
            window.move(monitor)
        self.adoptions.fit()
