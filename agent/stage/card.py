"""The content of the idle screen, as a picture."""

from __future__ import annotations

import io
import subprocess
from dataclasses import dataclass
from typing import Final

import segno
from PIL import Image, ImageDraw, ImageFont

HINT: Final = "Scan to control this screen from your phone"

_WHITE, _GREY, _BLACK = (240, 240, 240), (150, 150, 150), (0, 0, 0)

_WIDTH: Final = 0.9
"""The part of the screen's width that a name may take: a longer name is written smaller."""
_FONT_SEARCH_S: Final = 2.0
"""fontconfig takes 20 ms, and a second when it has to make its cache anew."""


@dataclass(frozen=True, slots=True)
class Card:
    """The text of the idle screen."""

    name: str
    address: str | None = None
    """The address of the box; None leaves it out."""
    pairing_url: str | None = None
    """A secret: what the QR code holds. None leaves it out."""


def draw(card: Card, width: int, height: int) -> Image.Image:
    """The card for a screen of `width` x `height` pixels, no larger than what it says, on black. Takes 50 ms and blocks
    for the fonts: for a thread."""
    unit, most = min(width, height) / 1080, round(width * _WIDTH)
    rows = [_text(card.name, 80 * unit, _WHITE, most)]
    if card.address:
        rows.append(_text(card.address, 36 * unit, _GREY, most))
    if card.pairing_url:
        rows += [_code(card.pairing_url, 340 * unit), _text(HINT, 30 * unit, _GREY, most)]
    gap = round(40 * unit)
    size = max(row.width for row in rows), sum(row.height for row in rows) + gap * (len(rows) - 1)
    picture, top = Image.new("RGB", size, _BLACK), 0
    for row in rows:
        picture.paste(row, ((size[0] - row.width) // 2, top))
        top += row.height + gap
    return picture


def _text(text: str, size: float, colour: tuple[int, int, int], most: int) -> Image.Image:
    font = _font(text, max(8.0, size))
    if (length := font.getlength(text)) > most:
        font = _font(text, max(1.0, size * most / length))
    left, top, right, bottom = font.getbbox(text)
    picture = Image.new("RGB", (max(1, round(right - left)), max(1, round(bottom - top))), _BLACK)
    ImageDraw.Draw(picture).text((-left, -top), text, font=font, fill=colour)
    return picture


def _code(text: str, size: float) -> Image.Image:
    code = segno.make_qr(text)
    out = io.BytesIO()
    border = 4  # modules of white around it, without which scanners do not find it
    scale = max(2, round(size / (len(code.matrix) + 2 * border)))
    code.save(out, kind="png", scale=scale, border=border)
    return Image.open(out).convert("RGB")


def _font(text: str, size: float) -> ImageFont.FreeTypeFont:
    """One that has the characters of `text`, as far as fontconfig finds one; else the one that Pillow brings."""
    characters = " ".join(sorted({f"{ord(character):x}" for character in text}))
    command = ["fc-match", "--format=%{file}", f"sans:charset={characters}"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, timeout=_FONT_SEARCH_S, check=True)  # noqa: S603
        return ImageFont.truetype(found.stdout, size)
    except (OSError, subprocess.SubprocessError):  # there is no fontconfig, or there are no fonts
        font = ImageFont.load_default(size)
        assert isinstance(font, ImageFont.FreeTypeFont), "Pillow was built without FreeType"
        return font
