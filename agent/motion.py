"""Whether what is meant to reach a person advances: the one place that decides that something is `playing`."""

from __future__ import annotations

from agent.player.base import Progress
from agent.types import MediaType, PlayerState

STILL_AFTER_S = 1.5
"""Counters are up to 0.5 s old when they are seen (libVLC renews them every 0.25 s, a player reports as often), and
a camera of one picture a second is not standing still."""


class Motion:
    """Follows one session's player from its first frame. Times are monotonic seconds."""

    def __init__(self, media_type: MediaType, *, began_at: float) -> None:
        self._media_type = media_type
        self._count = 0
        self._moved_at = began_at
        self._running = False
        self._paused = False

    def observe(self, progress: Progress) -> None:
        """Take in the latest report. The first picture alone is not motion: a live stream shows it and then stands
        still until it has buffered."""
        count = progress.audio_buffers if self._media_type is MediaType.AUDIO else progress.pictures
        if count > self._count:
            self._running = self._running or count >= 2
            self._count = count
            self._moved_at = progress.at

    def pause(self, paused: bool, *, at: float) -> None:
        """Nothing advances while it is paused, and that is as it should be."""
        if self._paused and not paused:
            self._moved_at = at
        self._paused = paused

    def jump(self, *, at: float) -> None:
        """It was sent to another position: what it has to load first is not standing still."""
        self._moved_at = at

    def state(self, now: float) -> PlayerState:
        if self._paused:
            return PlayerState.PAUSED
        if self._media_type is MediaType.IMAGE:
            return PlayerState.PLAYING  # the picture is shown, and that is all it is meant to do
        if self._running and now - self._moved_at <= STILL_AFTER_S:
            return PlayerState.PLAYING
        return PlayerState.BUFFERING

    def still_for(self, now: float) -> float:
        """Seconds since something last advanced; 0 while paused and for a still image."""
        return 0.0 if self._paused or self._media_type is MediaType.IMAGE else max(0.0, now - self._moved_at)
