"""The progress of the media, according to mpv."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from agent.player.base import Report
from agent.types import MediaType, StreamType

_DROPS = ("frame-drop-count", "decoder-frame-drop-count")
"""Pictures that were too late for the output, and those that the decoder left out."""

OBSERVED = ("time-pos", "seekable", "partially-seekable", "hwdec-current", "core-idle", *_DROPS)
"""Properties that mpv is to tell whenever they change."""

SURELY_DRAWN_S = 0.2
"""The time after a picture was handed to the video output until it was certainly drawn; drawing takes 1-20 ms. For one
that no other follows soon."""


class Facts:
    """The facts about what one mpv plays. `now` is the monotonic time."""

    kind: MediaType | None = None
    """None until it is known."""
    duration: float | None = None
    """The length in mpv. Live media has one, too: how much of it has arrived."""

    clock: float | None = 0.0
    """mpv has none that runs between two pictures without sound; but it tells when it waits for its source."""

    untimed = False
    """Its pictures come when they come."""

    sound_lost = False
    """True if it had an output for its sound, and has none."""

    _restarted_at: float | None = None
    _last_shown: float | None = None
    _shown_at = 0.0
    _seen = 0
    _heard_at: float | None = None
    _audio_buffers = 0

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._properties: dict[str, Any] = {}

    def restarted(self) -> bool:
        """Record that playback begins. Return True for the first time."""
        if self._restarted_at is not None:
            return False
        self._restarted_at = self._now()
        return True

    def observed(self, name: str, data: Any) -> bool:
        """Take the value of one of OBSERVED. Return True if another picture was shown."""
        if data is None and name in ("seekable", "partially-seekable", *_DROPS):
            return False  # it has ended, and would pass for live from now on, and for one that has lost nothing
        self._properties[name] = data
        if name != "time-pos" or data is None or self._restarted_at is None or data == self._last_shown:
            return False
        # With video it is the time of the picture that was handed to the output last: it stands when that does.
        self._last_shown, self._shown_at = data, self._now()
        first_was_drawn = self._shown_at - self._restarted_at > SURELY_DRAWN_S
        self._seen += 2 if not self._seen and first_was_drawn else 1
        return True

    def heard(self, data: Any, *, sound: bool, since_s: float) -> None:
        """The time of the sound that was played last, with `sound` into a device; asked `since_s` after the last."""
        if self.clock is not None and self._properties.get("core-idle") is False:
            self.clock += since_s
        if data is not None and data != self._heard_at:
            self._heard_at = data
            self._audio_buffers += sound

    def progress(self) -> Report:
        """The current position and length."""
        return Report(
            pictures=self._pictures(),
            lost=sum(int(self._properties.get(name, 0)) for name in _DROPS),
            audio_buffers=self._audio_buffers,
            clock=self.clock,
            position=self.position(),
            duration=self.length(),
            stream_type=self._stream_type(),
            hardware_decoding=self._hardware(),
            sound_lost=self.sound_lost,
            untimed=self.untimed,
            at=self._now(),
        )

    def position(self) -> float | None:
        """Seconds; None when live or unknown."""
        if self.length() is None:
            return None
        return self._last_shown if (now := self._properties.get("time-pos")) is None else now

    def length(self) -> float | None:
        """Seconds; None when live or unknown."""
        has_end = self._properties.get("seekable") and not self._properties.get("partially-seekable")
        return self.duration if has_end and self.kind is not MediaType.IMAGE else None

    def _pictures(self) -> int:
        """The number of pictures that were certainly drawn: all but the one that was handed to the output a moment
        ago."""
        if self.kind in (None, MediaType.AUDIO) or self._restarted_at is None:
            return 0
        drawn = self._seen - (self._now() - self._shown_at <= SURELY_DRAWN_S)
        return max(drawn, 1) if self._now() - self._restarted_at > SURELY_DRAWN_S else max(drawn, 0)

    def _hardware(self) -> str | None:
        name = self._properties.get("hwdec-current")
        return name if name not in (None, "", "no") else None

    def _stream_type(self) -> StreamType | None:
        if self.kind is None:
            return None
        finite = self.kind is MediaType.IMAGE or self.length() is not None
        return StreamType.BUFFERED if finite else StreamType.LIVE
