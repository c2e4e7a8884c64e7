"""A picture on its way to the screen."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RawPicture:
    """Pixels of three bytes, red first, row by row from the top."""

    width: int
    height: int
    stride: int
    """Bytes from one row to the next."""
    data: bytes
