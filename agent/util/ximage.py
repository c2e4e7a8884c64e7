"""Pictures in the form in which an X server stores them, and the way into one of its drawables."""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from typing import Any

from PIL import Image, ImageChops

_PUT_IMAGE = 72
"""Its opcode. xcffib's own PutImage packs each byte on its own: a second for one picture."""
_Z_PIXMAP = 2
_HEADER_BYTES = 64
"""The size of a request's header, with room to spare."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Pixels as an X server stores them, row by row from the top."""

    width: int
    height: int
    stride: int
    """Bytes from one row to the next."""
    data: bytes


@dataclass(frozen=True, slots=True)
class Layout:
    """The way the X server stores one pixel."""

    bits: int
    """Bits of storage per pixel: 16, 24 or 32."""
    little_endian: bool
    masks: tuple[int, int, int]
    """Red, green, blue, such as 0xff0000."""

    @property
    def is_bgrx(self) -> bool:
        """Return True if that is the usual one: blue, green, red and one byte without a meaning."""
        return self.bits == 32 and self.little_endian and self.masks == (0xFF0000, 0xFF00, 0xFF)

    def pack(self, picture: Image.Image) -> Rows:
        """An RGB picture as the server stores it."""
        if self.is_bgrx:
            return Rows(picture.width, picture.height, picture.width * 4, picture.tobytes("raw", "BGRX"))
        parts = picture.split()
        size = self.bits // 8
        stored = [self._byte(parts, number) for number in range(size)]
        if not self.little_endian:
            stored.reverse()
        mode = ("LA", "RGB", "RGBA")[size - 2]
        stride = -(-picture.width * self.bits // 32) * 4
        return Rows(picture.width, picture.height, stride, Image.merge(mode, stored).tobytes("raw", mode, stride))

    def _byte(self, parts: tuple[Image.Image, ...], number: int) -> Image.Image:
        """Byte `number` of all pixels, the lowest first."""
        byte = Image.new("L", parts[0].size)
        for part, mask in zip(parts, self.masks, strict=True):
            most, unit = mask // (mask & -mask), mask & -mask
            table = [(round(value * most / 255) * unit >> 8 * number) & 0xFF for value in range(256)]
            if any(table):
                byte = ImageChops.add(byte, part.point(table))  # their bits never meet
        return byte


def put(x: Any, rows: Rows, *, drawable: int, gc: int, depth: int, left: int = 0, top: int = 0) -> None:
    """Put pixels into a drawable of an xcffib connection. The requests are on their way then, no more."""
    at_once = max(1, (x.get_maximum_request_length() * 4 - _HEADER_BYTES) // rows.stride)
    for row in range(0, rows.height, at_once):
        count = min(at_once, rows.height - row)
        place = (drawable, gc, rows.width, count, left, top + row, 0, depth)
        head = struct.pack("=xB2xIIHHhhBB2x", _Z_PIXMAP, *place)
        x.core.send_request(_PUT_IMAGE, io.BytesIO(head + rows.data[row * rows.stride : (row + count) * rows.stride]))
