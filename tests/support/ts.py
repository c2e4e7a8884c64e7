"""A short MPEG-TS clip turned into an endless one: the timestamps and counters go on where the last round ended.

The clip must be what `Clips.live_ts` makes: PAT before every picture, a key frame every second, no B frames, and
a length after which all of its streams begin anew. The field offsets are those of ISO/IEC 13818-1, 2.4.3.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

PACKET = 188
FPS = 25
CLOCK_HZ = 90_000
CLOCK_WRAP = 1 << 33


class EndlessTs:
    """Picture n (counted from 0, without end) of the stream, as the packets that carry it and the sound beside it."""

    def __init__(self, path: Path, *, length_s: int) -> None:
        data = path.read_bytes()
        self._rounds_packets: Counter[int] = Counter()
        self._length_ticks = length_s * CLOCK_HZ
        self._pictures: list[bytes] = []
        starts = [0]
        for offset in range(0, len(data), PACKET):
            pid = _pid(data, offset)
            if data[offset + 3] & 0x10:  # only packets with a payload count
                self._rounds_packets[pid] += 1
            if pid == 0 and offset > PACKET:  # the first PAT follows an SDT
                starts.append(offset)
        for start, following in zip(starts, [*starts[1:], len(data)], strict=True):
            self._pictures.append(data[start:following])
        if len(self._pictures) != length_s * FPS:
            raise ValueError(f"{path.name} has {len(self._pictures)} pictures, not {length_s * FPS}")

    def picture(self, number: int) -> bytes:
        """The packets of picture `number`; every FPS-th begins with a key frame."""
        rounds, index = divmod(number, len(self._pictures))
        return self._moved(self._pictures[index], rounds) if rounds else self._pictures[index]

    def second(self, number: int) -> bytes:
        """One second of stream, from key frame to key frame."""
        return b"".join(self.picture(number * FPS + index) for index in range(FPS))

    def _moved(self, packets: bytes, rounds: int) -> bytes:
        moved = bytearray(packets)
        shift = rounds * self._length_ticks
        for offset in range(0, len(moved), PACKET):
            pid = _pid(moved, offset)
            counter = (moved[offset + 3] + rounds * self._rounds_packets[pid]) & 0x0F
            moved[offset + 3] = (moved[offset + 3] & 0xF0) | counter
            payload = offset + 4
            if moved[offset + 3] & 0x20:
                length = moved[offset + 4]
                if length and moved[offset + 5] & 0x10:
                    _shift_pcr(moved, offset + 6, shift)
                payload += 1 + length
            starts_unit = moved[offset + 1] & 0x40 and moved[offset + 3] & 0x10
            if starts_unit and moved[payload : payload + 3] == b"\x00\x00\x01":
                flags = moved[payload + 7]
                if flags & 0x80:
                    _shift_timestamp(moved, payload + 9, shift)
                if flags & 0x40:
                    _shift_timestamp(moved, payload + 14, shift)
        return bytes(moved)


def _pid(data: bytes | bytearray, offset: int) -> int:
    if data[offset] != 0x47:
        raise ValueError(f"No MPEG-TS packet at byte {offset}")
    return ((data[offset + 1] & 0x1F) << 8) | data[offset + 2]


def _shift_pcr(data: bytearray, at: int, shift: int) -> None:
    base = (int.from_bytes(data[at : at + 4], "big") << 1) | (data[at + 4] >> 7)
    base = (base + shift) % CLOCK_WRAP
    data[at : at + 4] = (base >> 1).to_bytes(4, "big")
    data[at + 4] = (data[at + 4] & 0x7F) | ((base & 1) << 7)


def _shift_timestamp(data: bytearray, at: int, shift: int) -> None:
    high, middle, low = (
        data[at],
        int.from_bytes(data[at + 1 : at + 3], "big"),
        int.from_bytes(data[at + 3 : at + 5], "big"),
    )
    ticks = ((high >> 1) & 0x07) << 30 | (middle >> 1) << 15 | low >> 1
    ticks = (ticks + shift) % CLOCK_WRAP
    data[at] = (high & 0xF1) | ((ticks >> 30) << 1)
    data[at + 1 : at + 3] = (((ticks >> 15) & 0x7FFF) << 1 | 1).to_bytes(2, "big")
    data[at + 3 : at + 5] = ((ticks & 0x7FFF) << 1 | 1).to_bytes(2, "big")
