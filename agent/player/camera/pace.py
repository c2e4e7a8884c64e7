"""The moment at which each packet of a camera is passed on: as it comes, or later where many come at once.

A camera sends a picture when it has one. HLS comes in pieces of some seconds, and some servers begin with what they
have kept: passed on as it comes, that would run ahead and then stand still.
"""

from __future__ import annotations

from typing import Final

WINDOW_S: Final = 30.0
"""The time from which the pace is learned: three pieces of 10 s. One late piece delays all that follow, for so long."""
FIRST_WINDOW_S: Final = 1.0
"""The same at the beginning, where a server may send what it has kept; each window is twice as long as the one before.
A window begins with a packet that had to be waited for, the latest of its piece, so a short one does for HLS, too."""
FLOW_S: Final = 1.0
"""What comes at most so much ahead of the latest is no piece but a flow with some jitter, and passed on as it comes."""
JUMP_LIMIT_S: Final = 5.0
"""Seconds by which the clock of a camera may jump, or what it sends may come too late; beyond that it is connected to
anew."""


class ClockJumpedError(Exception):
    """The times of the packets tell nothing."""


class Pace:
    """The pace of one track. All times in seconds, those of the packets by the clock of the camera."""

    def __init__(self) -> None:
        self._before: tuple[float, float] | None = None
        """The time of the last packet, by both clocks."""
        self._delay = 0.0
        """The most by which our clock was ahead of the camera's when a packet came: then the latest was due."""
        self._most = 0.0
        """The same since `_since`."""
        self._ahead = 0.0
        """The most by which a packet came before it was due in the last window, or in this one."""
        self._most_ahead = 0.0
        """The same since `_since`."""
        self._since = 0.0
        self._window_s = FIRST_WINDOW_S

    def due(self, at: float, now: float) -> float:
        """The moment, by our clock, at which a packet of the time `at` is to be passed on that has come `now`. Raises
        ClockJumpedError."""
        delay = now - at
        if self._before is None:
            self._delay, self._most, self._since = delay, delay, now
        elif self._has_jumped(at, now) or delay - self._delay > JUMP_LIMIT_S:
            raise ClockJumpedError
        self._before = at, now
        self._most = max(self._most, delay)
        if now - self._since > self._window_s:
            self._delay, self._most, self._since = self._most, delay, now
            self._ahead, self._most_ahead = self._most_ahead, 0.0
            self._window_s = min(2 * self._window_s, WINDOW_S)
        self._delay = max(self._delay, delay)
        self._most_ahead = max(self._most_ahead, self._delay - delay)
        self._ahead = max(self._ahead, self._most_ahead)
        return now if self._ahead < FLOW_S else at + self._delay

    def _has_jumped(self, at: float, now: float) -> bool:
        assert self._before is not None, "there was one before"
        step, passed = at - self._before[0], now - self._before[1]
        return not -JUMP_LIMIT_S <= step <= passed + JUMP_LIMIT_S
