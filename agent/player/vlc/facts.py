"""How far the media is, by what libVLC counts and knows of it."""

from __future__ import annotations

import time
from typing import Any, NamedTuple

from agent.player import ipc
from agent.player.vlc.log_reader import LogReader
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

    def __init__(self, vlc: Any, player: Any, log: LogReader) -> None:
        self._player = player
        self._log = log
        self._stats = vlc.MediaStats()
        self._clock = _Clock(-1, 0.0, 0)
        self._complete = False
        self.moved_at = time.monotonic()
        """When (monotonic) libVLC was seen to have displayed another picture."""

    def report(self, media: Any, kind: MediaType | None, *, sounded: bool) -> ipc.ProgressReport:
        """How it is now. `sounded`: its audio device was opened, which libVLC does not count."""
        before = self._stats.displayed_pictures
        media.get_stats(self._stats)
        if self._stats.displayed_pictures != before:
            self.moved_at = time.monotonic()
        return ipc.ProgressReport(
            pictures=self._stats.displayed_pictures,
            audio_buffers=max(self._stats.played_abuffers, int(sounded)),
            clock=ms / 1000 if (ms := self._player.get_time()) >= 0 else None,
            position=self.position(),
            duration=self.duration(),
            stream_type=self._stream_type(kind),
            hardware_decoding=self._log.hardware,
        )

    def complete(self) -> None:
        """All of it was played, and what was live has got its end."""
        self._complete = True

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
        ms = 0 if self._log.live else self._player.get_length()
        return ms / 1000 if ms > 0 else None

    def _stream_type(self, kind: MediaType | None) -> StreamType | None:
        if kind is None:
            return None
        if self._log.demuxer == "adaptive":  # it has no length yet when its first picture is there
            finite = self._complete or not self._log.live
        else:
            # Of a recorded transport stream on a web server libVLC knows no length, but it can go back in it.
            finite = kind is MediaType.IMAGE or self.duration() is not None or bool(self._player.is_seekable())
        return StreamType.BUFFERED if finite else StreamType.LIVE
