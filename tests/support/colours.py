"""Flat colours that survive H.264 and a software scaler well enough to be told apart on a screen."""

from __future__ import annotations

RGB = tuple[int, int, int]

PALETTE: dict[str, RGB] = {
    "black": (0, 0, 0),
    "white": (255, 255, 255),
    "red": (255, 0, 0),
    "green": (0, 255, 0),
    "blue": (0, 0, 255),
    "yellow": (255, 255, 0),
    "magenta": (255, 0, 255),
    "cyan": (0, 255, 255),
    "orange": (255, 128, 0),
    "grey": (128, 128, 128),
}

TOLERANCE = 48
"""Per channel. BT.601 read as BT.709 moves a saturated channel by up to 40; the palette's colours are 127 apart."""

OTHER = "other"


def name_of(rgb: RGB) -> str:
    """The palette colour that `rgb` is, or `other`."""
    for name, wanted in PALETTE.items():
        if all(abs(is_ - should) <= TOLERANCE for is_, should in zip(rgb, wanted, strict=True)):
            return name
    return OTHER


def hex_of(colour: str) -> str:
    """The colour as ffmpeg wants it. Raises KeyError for a colour outside the palette."""
    return "0x{:02x}{:02x}{:02x}".format(*PALETTE[colour])
