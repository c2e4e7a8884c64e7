"""The time for which the screen is without a picture between two pictures."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class BlackTime:
    """Begins when the last picture leaves the screen while one is wanted; ends with the next picture, or when none is
    wanted any more. So the wait for a first picture does not count. `has_picture` and `wants_picture` tell how it is
    now."""

    def __init__(self, *, has_picture: Callable[[], bool], wants_picture: Callable[[], bool]) -> None:
        self._has_picture = has_picture
        self._wants_picture = wants_picture
        self._now = asyncio.get_running_loop().time
        self._had_picture = False
        self._seconds = 0.0
        self._since: float | None = None
        """The time up to which black is counted; None while the screen is not black."""

    @property
    def seconds(self) -> float:
        """The total up to now; it only grows."""
        self.look()
        return self._seconds

    def look(self) -> None:
        """Count the time since the last look. Called whenever something may have changed."""
        now, has_picture = self._now(), self._has_picture()
        if self._since is not None:
            self._seconds += now - self._since
        is_black = self._had_picture and not has_picture and self._wants_picture()
        self._since = now if is_black else None
        self._had_picture = has_picture or is_black
