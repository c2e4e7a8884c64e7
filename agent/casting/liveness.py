"""The liveness of media: the one place that decides that something is `playing`."""

from __future__ import annotations

from collections import deque

from agent.player.base import Report
from agent.types import MediaType, PlayerState, StreamType

STILL_AFTER_S = 1.5
"""Counters are up to 0.5 s old when they are seen (libVLC renews them every 0.25 s, a player reports as often), and
a camera of one picture a second is not standing still."""

GAPS_KEPT = 3
"""The shortest of the last few gaps between pictures is the rhythm of a source: one hiccup is not taken for it."""

LATE_BY = 1.5
"""The factor of its rhythm up to which a picture is not late."""

RHYTHM_LIMIT_S = 60.0
"""A source that is slower than this is not told from one that stands."""

SLOW_BELOW = 1.0
"""Pictures a second. Cameras send more; what sends less (a radio with slides, black with music) has its rests."""


class Liveness:
    """Follows one session's player from its first frame. Times are monotonic seconds.

    A film's picture may stand: slides and recordings of a screen hold no picture where nothing changes. Then its
    player's clock runs on, and it stops when the source does. Of a live stream nobody knows what its source holds
    back: its picture may stand only where that is its way from the beginning, and only while its sound goes on; or,
    without sound, for as long as it always takes to the next one (a camera that sends a picture each few seconds).
    `rhythm` is what was learned of it before.
    """

    def __init__(self, media_type: MediaType, *, began_at: float, rhythm: float = 0.0) -> None:
        self._gaps: deque[float] = deque([rhythm] if rhythm else [], maxlen=GAPS_KEPT)
        self._media_type = media_type
        self._began_at = self._pictured_at = began_at
        self._last = Report()
        self._pictures = 0
        """Reports that told of newer ones; libVLC counts a picture again whenever it draws it anew."""
        self._moved_at = began_at
        self._running = False
        self._paused = False

    def observe(self, report: Report) -> None:
        """Take in the latest report. The first picture alone is not motion: a live stream shows it and then stands
        still until it has buffered."""
        last = self._last
        if self._media_type is MediaType.AUDIO:
            if report.audio_buffers > last.audio_buffers:
                self._moved(report.at, running=report.audio_buffers >= 2)
        elif report.pictures > last.pictures:
            self._pictures += 1
            if last.pictures:  # the first was there before it could be counted
                self._gaps.append(min(report.at - self._pictured_at, RHYTHM_LIMIT_S))
            self._pictured_at = report.at
            self._moved(report.at, running=report.pictures >= 2)
        elif self._rests(report):
            # Live, sound may come up to 1 s before the picture after the first moves: that is no slide yet.
            known = report.stream_type is StreamType.BUFFERED or report.at - self._began_at > STILL_AFTER_S
            self._moved(report.at, running=known)
        self._last = report

    def pause(self, paused: bool, *, at: float) -> None:
        """Record a pause, during which nothing has to advance."""
        if self._paused and not paused:
            self._moved_at = at
        self._paused = paused

    def begins_anew(self, *, at: float) -> None:
        """The counts are those of another player, which has shown its first picture."""
        self._last, self._moved_at = Report(), at

    def jump(self, *, at: float) -> None:
        """Record a seek. Loading at the new position is no stall."""
        self._moved_at = at

    def state(self, now: float) -> PlayerState:
        if self._paused:
            return PlayerState.PAUSED
        if self._media_type is MediaType.IMAGE:
            return PlayerState.PLAYING  # the picture is shown, and that is all it is meant to do
        if self._running and now - self._moved_at <= max(STILL_AFTER_S, self.rhythm * LATE_BY):
            return PlayerState.PLAYING
        return PlayerState.BUFFERING

    @property
    def rhythm(self) -> float:
        """Seconds from picture to picture, as far as that is known; 0 where other things tell whether it advances."""
        by_pictures = self._media_type is MediaType.VIDEO and not self._last.audio_buffers
        if not by_pictures or self._last.stream_type is StreamType.BUFFERED:
            return 0.0
        return min(self._gaps, default=0.0)

    @property
    def has_moved(self) -> bool:
        """Return True if anything followed the first picture."""
        return self._running

    def still_for(self, now: float) -> float:
        """Seconds since something last advanced; 0 while paused and for a still image."""
        return 0.0 if self._paused or self._media_type is MediaType.IMAGE else max(0.0, now - self._moved_at)

    def _moved(self, at: float, *, running: bool) -> None:
        self._running = self._running or running
        self._moved_at = at

    def _rests(self, report: Report) -> bool:
        """Return True if the picture stands because there is no newer one."""
        if report.stream_type is StreamType.BUFFERED:
            return None not in (report.clock, self._last.clock) and report.clock != self._last.clock
        return report.audio_buffers > self._last.audio_buffers and self._is_slow

    @property
    def _is_slow(self) -> bool:
        seconds = self._pictured_at - self._began_at
        return self._pictures <= 1 or self._pictures < seconds * SLOW_BELOW
