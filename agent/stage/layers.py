"""The order of the windows that are shown."""

from __future__ import annotations

from bisect import bisect_right
from operator import itemgetter

from agent.stage.base import Layer


class Layers:
    """Knows which windows are shown, from the bottom up. Used on the connection's thread alone, so the order is that of
    the requests that the X server has got."""

    def __init__(self) -> None:
        self._windows: list[tuple[Layer, int]] = []

    def put(self, window: int, layer: Layer) -> list[int]:
        """Make `window` the topmost of its layer; return those of the layers above, from the top down."""
        self.drop(window)
        place = bisect_right(self._windows, layer, key=itemgetter(0))
        above = [other for _, other in reversed(self._windows[place:])]
        self._windows.insert(place, (layer, window))
        return above

    def drop(self, window: int) -> None:
        """Forget a window that is destroyed. Idempotent."""
        self._windows = [entry for entry in self._windows if entry[1] != window]
