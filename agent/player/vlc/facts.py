"""How far the media is, by what libVLC counts and knows of it."""

from __future__ import annotations

import time
from typing import Any, NamedTuple

from agent.player import ipc
from agent.types import MediaType, StreamType

_CLOCK_STUCK_S = 0.6
"""libVLC's clock moves every 0.3 s."""


class _Clock(NamedTuple):
    """What libVLC's clock showed, since when, and how many pictures had been displayed by then."""

    ms: int
    since: float
    pictures: int


class Facts:
    """Of what one media player of libVLC plays."""

    def __init__(self, vlc: Any, player: Any) -> None:
        self._player = player
        self._stats = vlc.MediaStats()
        self._clock = _Clock(-1, 0.0, 0)

    def report(self, media: Any, kind: MediaType | None, *, sounded: bool, hardware: str | None) -> ipc.ProgressReport:
        """How it is now. `sounded`: its audio device was opened, which libVLC does not count."""
        media.get_stats(self._stats)
        return ipc.ProgressReport(
            pictures=self._stats.displayed_pictures,
            audio_buffers=max(self._stats.played_abuffers, int(sounded)),
            position=self.position(),
            duration=self.duration(),
            stream_type=self._stream_type(kind),
            hardware_decoding=hardware,
        )

    def position(self) -> float | None:
        """Seconds; None when live or unknown. libVLC's clock stands still once it has read a short file to its end,
        long before that is shown: then the pictures that were displayed since tell."""
        ms, duration = self._player.get_time(), self.duration()
        if ms < 0 or duration is None:
            return None
        now, pictures = time.monotonic(), self._stats.displayed_pictures
        if ms != self._clock.ms:
            self._clock = _Clock(ms, now, pictures)
        position, fps = ms / 1000, float(self._player.get_fps())
        if fps > 0 and now - self._clock.since > _CLOCK_STUCK_S:
            position += (pictures - self._clock.pictures) / fps
        return float(min(position, duration))

    def duration(self) -> float | None:
        """Seconds; None when live or unknown."""
        ms = self._player.get_length()
        return ms / 1000 if ms > 0 else None

    def _stream_type(self, kind: MediaType | None) -> StreamType | None:
        if kind is None:
            return None
        finite = kind is MediaType.IMAGE or self.duration() is not None
        return StreamType.BUFFERED if finite else StreamType.LIVE
