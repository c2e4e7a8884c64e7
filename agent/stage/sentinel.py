"""The sentinel: what a window shows before its player has drawn, so that the first pixel can be told."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from enum import Enum, auto

from agent.stage.screen import PixelFormat

STRIPES = 16
"""The number of stripes of random colours side by side: no single colour and no picture that was not made for it equals
them."""

COMPARED_BITS = 5
"""The first bits of each part of a colour, which are looked at. On a screen of few colours a player's window has no
more, and until the player has drawn, the X server shows the stripes behind it in these."""

_DARKEST = 8
"""No part of a stripe's colour, of COMPARED_BITS, is below this, so that black is a change everywhere."""


class Verdict(Enum):
    """The outcome of a sentinel."""

    UNTOUCHED = auto()
    BARE = auto()
    """All that changed is black or white, or nearly so: a player that clears its window, a film that opens in black, or
    the empty page of a browser."""
    PICTURE = auto()


class Sentinel:
    """The stripes of one window."""

    def __init__(self, pixel_format: PixelFormat) -> None:
        self._format = pixel_format
        self._compared = sum(_first_bits(mask) for mask in (pixel_format.red, pixel_format.green, pixel_format.blue))
        self.pixels = tuple(pixel_format.pixel(*(_random_part() for _ in "rgb")) for _ in range(STRIPES))
        self._width = 0
        self._expected = self._mask = 0
        self._last: tuple[Sequence[bytes], Verdict] = ((), Verdict.UNTOUCHED)

    def stripes(self, width: int) -> list[tuple[int, int, int]]:
        """The stripes to paint over a window of `width`: (pixel, x, width) of each."""
        edges = [width * n // STRIPES for n in range(STRIPES + 1)]
        return [
            (pixel, left, right - left)
            for pixel, left, right in zip(self.pixels, edges, edges[1:], strict=False)
            if right > left
        ]

    def judge(self, rows: Sequence[bytes], width: int) -> Verdict:
        """The verdict on the rows of a window of `width`, read with `read_rows`."""
        if rows == self._last[0]:
            return self._last[1]
        self._expect(width)
        verdicts = {self._judge_row(row) for row in rows}
        verdict = next((v for v in (Verdict.PICTURE, Verdict.BARE) if v in verdicts), Verdict.UNTOUCHED)
        self._last = (rows, verdict)
        return verdict

    def _expect(self, width: int) -> None:
        if width == self._width:
            return
        self._width = width
        compared, pack = self._compared, self._format.pack
        line = b"".join(pack(pixel & compared) * count for pixel, _, count in self.stripes(width))
        padding = bytes(-len(line) % 4)
        # Whole rows are compared as one big number each: some µs, where a loop over the pixels takes 100 times that.
        self._expected = int.from_bytes(line + padding, "big")
        self._mask = int.from_bytes(pack(compared) * width + padding, "big")

    def _judge_row(self, row: bytes) -> Verdict:
        seen = int.from_bytes(row, "big") & self._mask
        if seen == self._expected:
            return Verdict.UNTOUCHED
        if seen in (0, self._mask):
            return Verdict.BARE
        # A player may cover only a part of the window: what it left alone says nothing.
        size = self._format.bits // 8
        now, before = seen.to_bytes(len(row), "big"), self._expected.to_bytes(len(row), "big")
        bare = (bytes(size), self._mask.to_bytes(len(row), "big")[:size])
        for at in range(0, self._width * size, size):
            pixel = now[at : at + size]
            if pixel not in bare and pixel != before[at : at + size]:
                return Verdict.PICTURE
        return Verdict.BARE


def _random_part() -> int:
    """0-255, and the same after a conversion to COMPARED_BITS and back, whether it rounds or not."""
    few = _DARKEST + secrets.randbelow((1 << COMPARED_BITS) - _DARKEST)
    return few << 8 - COMPARED_BITS | few >> 2 * COMPARED_BITS - 8


def _first_bits(mask: int) -> int:
    return mask & ~(mask >> COMPARED_BITS)
