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
class Layout:
    """The way the X server stores one pixel."""

    bits: int
    """Bits of storage per pixel: 16, 24 or 32."""
    little_endian: bool
    masks: tuple[int, int, int]
    """Red, green, blue, such as 0xff0000."""

    def pack(self, picture: Image.Image) -> tuple[bytes, int]:
        """An RGB picture as the server stores it, row by row, and the bytes of a row."""
        parts = picture.split()
        size = self.bits // 8
        stored = [self._byte(parts, number) for number in range(size)]
        if not self.little_endian:
            stored.reverse()
        mode = ("LA", "RGB", "RGBA")[size - 2]
        stride = -(-picture.width * self.bits // 32) * 4
        return Image.merge(mode, stored).tobytes("raw", mode, stride), stride

    def _byte(self, parts: tuple[Image.Image, ...], number: int) -> Image.Image:
        """Byte `number` of all pixels, the lowest first."""
        byte = Image.new("L", parts[0].size)
        for part, mask in zip(parts, self.masks, strict=True):
            most, unit = mask // (mask & -mask), mask & -mask
            table = [(round(value * most / 255) * unit >> 8 * number) & 0xFF for value in range(256)]
            if any(table):
                byte = ImageChops.add(byte, part.point(table))  # their bits never meet
        return byte


def put_picture(
    x: Any, picture: Image.Image, layout: Layout, *, drawable: int, gc: int, depth: int, left: int = 0, top: int = 0
) -> None:
    """Put an RGB picture into a drawable of an xcffib connection. The requests are on their way then, no more."""
    data, stride = layout.pack(picture)
    rows_at_once = max(1, (x.get_maximum_request_length() * 4 - _HEADER_BYTES) // stride)
    for row in range(0, picture.height, rows_at_once):
        rows = min(rows_at_once, picture.height - row)
        place = (drawable, gc, picture.width, rows, left, top + row, 0, depth)
        head = struct.pack("=xB2xIIHHhhBB2x", _Z_PIXMAP, *place)
        x.core.send_request(_PUT_IMAGE, io.BytesIO(head + data[row * stride : (row + rows) * stride]))
