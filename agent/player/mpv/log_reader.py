"""mpv's log, as far as it tells why something cannot be played."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from agent.player.ffmpeg.reasons import (
    explain,
    not_opened,
    nothing_shown,
    nothing_to_play,
    password_refused,
    transport_refused,
    undecodable,
)
from agent.types import Failure

_LINES_KEPT = 100
_MEMORY_S = 30.0
"""A reason older than this is not why it fails now."""

_NO_STREAMS = "No video or audio streams"
_CUT_OFF = ("Stream ends prematurely", "Will reconnect")
"""Words of FFmpeg's http.c, which compares with the length that the server announced."""
_NOT_OPENED = "avformat_open_input() failed"


class LogReader:
    """The facts in the recent log of mpv. `now` is the monotonic time."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self.was_cut_off = False
        """True if a connection ever ended before all data had come."""
        self._lines: deque[tuple[float, str]] = deque(maxlen=_LINES_KEPT)

    def read(self, line: str) -> None:
        self.was_cut_off = self.was_cut_off or any(words in line for words in _CUT_OFF)
        self._lines.append((self._now(), line.strip()))

    def forget(self) -> None:
        """Forget the failures of the way of opening before."""
        self._lines.clear()

    def reason(self, url: str) -> Failure | None:
        """The most telling reason for a failure that happens now, or None."""
        return explain(self._recent, url)

    def why_nothing(self, url: str) -> Failure:
        """The reason why nothing was played."""
        if reason := self.reason(url):
            return reason
        if self._has(_NO_STREAMS):
            return nothing_to_play(url)
        return not_opened(url) if self._has(_NOT_OPENED) else nothing_shown(url)

    @property
    def password_refused(self) -> bool:
        """Return True if a password is missing or wrong, or wanted in a way that FFmpeg does not support."""
        return password_refused(self._recent)

    @property
    def transport_refused(self) -> bool:
        """Return True if an RTSP server refuses the requested transport."""
        return transport_refused(self._recent)

    @property
    def found_no_streams(self) -> bool:
        """Return True if the media was opened but holds nothing to play."""
        return self._has(_NO_STREAMS) and not undecodable(self._recent)

    @property
    def _recent(self) -> list[str]:
        since = self._now() - _MEMORY_S
        return [text for at, text in self._lines if at >= since]

    def _has(self, words: str) -> bool:
        return any(words in line for line in self._recent)
