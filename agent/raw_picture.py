"""A picture on its way to the screen."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RawPicture:
    """Pixels of four bytes, blue, green, red and one without a meaning, row by row from the top: X servers store them
    so."""

    width: int
    height: int
    data: bytes
