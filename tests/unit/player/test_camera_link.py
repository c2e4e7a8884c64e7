"""The clock of a camera that is kept ready."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import pytest

from agent.player.camera.link import JUMP_LIMIT_S, Camera, GoneError
from agent.player.camera.tail import Tail

HZ = 90000


@dataclass
class Picture:
    """A packet of PyAV, with its time in seconds."""

    seconds: float
    is_keyframe: bool = True
    stream_index: int = 0
    duration: int | None = None
    time_base: Fraction = Fraction(1, HZ)

    @property
    def pts(self) -> int:
        return round(self.seconds * HZ)

    dts = pts

    def __bytes__(self) -> bytes:
        return b"picture"


def test_a_slow_camera_is_no_clock_that_jumps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten seconds between two pictures, by both clocks; a clock that is set is noticed."""
    now = 1000.0
    monkeypatch.setattr("agent.player.camera.link.time.monotonic", lambda: now)
    monkeypatch.setattr(Camera, "_run", lambda _camera: None)
    camera = Camera("door", "rtsp://camera/", changed=lambda: None)
    camera._tail = Tail(0, {0: Fraction(1, HZ)})
    for seconds in (5.0, 15.0, 25.0):
        camera._take(Picture(seconds))
        now += 10.0
    with pytest.raises(GoneError, match="jumped"):
        camera._take(Picture(35.0 + JUMP_LIMIT_S + 1.0))
