"""The last packets of a camera: all since its last key frame, for those who come to watch."""

from __future__ import annotations

from fractions import Fraction
from typing import Final, NamedTuple

BYTES_LIMIT: Final = 32 * 1024 * 1024
"""For one camera: 20 s of a 4K camera at 12 Mbit/s."""
PACKETS_LIMIT: Final = 4096
"""30 s of a camera with 60 pictures and 50 pieces of sound a second, and some."""
SECONDS_LIMIT: Final = 30.0
"""Cameras send a key frame each 1 to 4 s, those that save a lot each 10 to 20 s."""
CATCH_UP: Final = Fraction(1, 100)
"""What was kept is told to be this much shorter than it is: 4 s pass in 40 ms, as fast as they can be decoded."""


class Packet(NamedTuple):
    """One encoded picture, or a piece of sound."""

    track: int
    data: bytes
    pts: int
    """In units of the track, as is `dts`."""
    dts: int
    duration: int
    is_key: bool


class Tail:
    """What is kept of one camera. `video` is the number of the track with pictures, `units` the seconds of one unit of
    time of each track. One thread adds; others take copies under the camera's lock."""

    def __init__(self, video: int, units: dict[int, Fraction]) -> None:
        self.video = video
        """The number of the track with pictures."""
        self._units = units
        self._packets: list[Packet] = []
        self._bytes = 0
        self._newest = Fraction(0)
        """The time of the newest picture, in seconds."""
        self.outgrown = False
        """True if there was no key frame for so long that nothing is kept until the next one."""
        self._first: Fraction | None = None
        """The time of the first picture before any key frame."""

    def add(self, packet: Packet) -> None:
        """Add what has come now. A key frame ends all that came before it."""
        if packet.track == self.video:
            self._newest = self._time(packet)
            if packet.is_key:
                self._packets, self._bytes, self.outgrown = [], 0, False
        if not self._packets and not (packet.track == self.video and packet.is_key):
            self._waited(packet)
            return  # nothing can be shown without the key frame
        self._packets.append(packet)
        self._bytes += len(packet.data)
        if self._bytes > BYTES_LIMIT or len(self._packets) > PACKETS_LIMIT or self.seconds > SECONDS_LIMIT:
            self._packets, self._bytes, self.outgrown = [], 0, True

    def _waited(self, packet: Packet) -> None:
        """Take in a picture that comes before any key frame."""
        if packet.track == self.video:
            self._first = self._newest if self._first is None else self._first
            self.outgrown = self.outgrown or self._newest - self._first > SECONDS_LIMIT

    @property
    def size(self) -> int:
        """Bytes."""
        return self._bytes

    @property
    def seconds(self) -> float:
        """The time since the key frame, by the camera's clock; 0.0 without one."""
        if not self._packets:
            return 0.0
        return float(self._newest - self._time(self._packets[0]))

    @property
    def is_shown(self) -> bool:
        """Return True if there is something to be shown at once."""
        return bool(self._packets)

    @property
    def key(self) -> Packet | None:
        """The last key frame, if it is kept."""
        return self._packets[0] if self._packets else None

    def quick(self) -> list[Packet]:
        """All of it, to be shown as fast as can be: the pictures are CATCH_UP as far apart as they were, up to now. Of
        the sound only what belongs to the newest picture."""
        if not self._packets:
            return []
        newest = self._newest
        return [
            packet._replace(
                pts=self._nearer(packet.pts, packet.track, newest),
                dts=self._nearer(packet.dts, packet.track, newest),
                duration=0,
            )
            for packet in self._packets
            if packet.track == self.video or self._time(packet) >= newest
        ]

    def _time(self, packet: Packet) -> Fraction:
        return packet.dts * self._units[packet.track]

    def _nearer(self, at: int, track: int, newest: Fraction) -> int:
        unit = self._units[track]
        time = at * unit
        return at if time >= newest else int((newest - (newest - time) * CATCH_UP) / unit)
