"""The progress of the media, by the counts and properties of libVLC."""

from __future__ import annotations

import time
from typing import Any, NamedTuple

from agent.player import ipc
from agent.player.vlc.log_reader import LogReader
from agent.types import MediaType, StreamType

_LOOKED_WITHIN_S = 0.6
"""The longest time between two looks that counts as playing: the clock is looked at every 0.25 s."""


class _Clock(NamedTuple):
    """The last reading of libVLC's clock, the number of sound buffers played by then, and the seconds played while the
    clock stood."""

    ms: int
    buffers: int
    looked_at: float
    played_on_s: float


class Facts:
    """The facts about what one media player of libVLC plays."""

    def __init__(self, vlc: Any, player: Any, log: LogReader) -> None:
        self._player = player
        self._log = log
        self._stats = vlc.MediaStats()
        self._clock = _Clock(-1, 0, 0.0, 0.0)
        self._begin_ms = 0
        self._complete = False
        self.moved_at = time.monotonic()
        """The monotonic time at which libVLC was last seen to have displayed another picture."""

    def report(self, media: Any, kind: MediaType | None, *, sounded: bool, sound_lost: bool) -> ipc.ProgressReport:
        """The progress now. `sounded`: the audio device was opened, which libVLC does not count."""
        before = self._stats.displayed_pictures
        media.get_stats(self._stats)
        if self._stats.displayed_pictures != before:
            self.moved_at = time.monotonic()
        self._look_at_clock()
        return ipc.ProgressReport(
            pictures=self._stats.displayed_pictures,
            lost=self._stats.lost_pictures,
            audio_buffers=max(self._stats.played_abuffers, int(sounded)),
            clock=self._clock.ms / 1000 + self._clock.played_on_s if self._clock.ms >= 0 else None,
            position=self.position(),
            duration=self.duration(),
            stream_type=self._stream_type(kind),
            hardware_decoding=self._log.hardware,
            sound_lost=sound_lost,
        )

    @property
    def counts(self) -> Any:
        """libVLC's own, as of the last report."""
        return self._stats

    @property
    def is_whole(self) -> bool:
        """Return True if all of the media was read: for a file at its end, for a web server where that is certain."""
        return self._log.body.is_whole(self._stats.read_bytes)

    def begins_at(self, position_ms: int) -> None:
        """Take in that the media was sent there. The clock shows less where its picture is older than that, and
        stands."""
        self._begin_ms = position_ms

    def complete(self) -> None:
        """Record that all of the media was played, also for a live stream that has ended."""
        self._complete = True

    def position(self) -> float | None:
        """Seconds; None when live or unknown."""
        self._look_at_clock()
        duration = self.duration()
        if self._clock.ms < 0 or duration is None:
            return None
        return min(max(self._clock.ms, self._begin_ms) / 1000 + self._clock.played_on_s, duration)

    def duration(self) -> float | None:
        """Seconds; None when live or unknown."""
        ms = 0 if self._log.live else self._player.get_length()
        return ms / 1000 if ms > 0 else None

    def _look_at_clock(self) -> None:
        """libVLC's clock stands while a picture does, and once it has read all, up to seconds before that is shown.
        What is played meanwhile tells, and in the end the time: all is there, so nothing can hold it up."""
        ms, buffers, now, before = self._player.get_time(), self._stats.played_abuffers, time.monotonic(), self._clock
        if ms != before.ms:
            self._clock = _Clock(ms, buffers, now, 0.0)
            return
        plays = buffers != before.buffers or (self._log.read_to_end and self._player.is_playing())
        passed_s = min(now - before.looked_at, _LOOKED_WITHIN_S) if plays else 0.0
        if plays or now - before.looked_at > _LOOKED_WITHIN_S:
            self._clock = _Clock(ms, buffers, now, before.played_on_s + passed_s)

    def _stream_type(self, kind: MediaType | None) -> StreamType | None:
        if kind is None:
            return None
        if self._log.demuxer == "adaptive":  # it has no length yet when its first picture is there
            finite = self._complete or not self._log.live
        else:
            # libVLC knows no length of a recorded transport stream on a web server, but can seek back in it.
            finite = kind is MediaType.IMAGE or self.duration() is not None or bool(self._player.is_seekable())
        return StreamType.BUFFERED if finite else StreamType.LIVE
