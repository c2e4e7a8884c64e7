"""Pictures as they are to be shown: turned upright, opaque, and as large as the screen allows."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from typing import Final

import resvg_py
from PIL import Image, ImageOps, ImageSequence, ImageStat, UnidentifiedImageError

from agent.player import reasons
from agent.player.pillow.fetch import NoPictureError
from agent.types import ErrorCode, Failure

FORMATS: Final = ("JPEG", "PNG", "GIF", "WEBP", "AVIF", "BMP", "TIFF", "JPEG2000", "ICO", "PPM")
"""Pillow knows more, some of which run other programs (EPS)."""

ANIMATED: Final = ("GIF", "PNG", "WEBP", "AVIF")
"""Other formats with several pictures hold pages, or one picture in several sizes."""

SHORTEST_FRAME_S = 0.02
USUAL_FRAME_S = 0.1
"""The time that browsers give a frame of an animation that asks for less than SHORTEST_FRAME_S."""

Size = tuple[int, int]

_SVG = re.compile(
    # Atomic groups: without them a file of comments would be matched in as many ways as there are pairs of them.
    rb"\s*+(?>(?><\?xml[^>]*>|<!--.*?-->|<!DOCTYPE[^\[>]*(?>\[.*?\]\s*)?>)\s*)*+<svg[\s>]",
    re.DOTALL,
)
_HEIF_BRANDS = (b"heic", b"heix", b"hevc", b"mif1", b"msf1")

Image.MAX_IMAGE_PIXELS = None  # the process is bounded in its memory instead


class Picture:
    """A picture that was fetched. Raises NoPictureError where it is none, or one that cannot be shown."""

    def __init__(self, data: bytes, *, url: str) -> None:
        self._data = data
        self._url = url
        self._is_svg = _SVG.match(data[:4096].removeprefix(b"\xef\xbb\xbf")) is not None
        if not self._is_svg:
            self._open().close()

    def frames(self, within: Size) -> Iterator[tuple[Image.Image, float | None]]:
        """RGB pictures that fit into `within` and fill it in one direction, each with the seconds that it is to be
        shown; None: for good. An animation goes on as often as it says. Raises NoPictureError."""
        try:
            if self._is_svg:
                yield _flat(self._draw_svg(within)), None
                return
            with self._open() as image:
                if image.format in ANIMATED and getattr(image, "n_frames", 1) > 1:
                    yield from _animate(image, within)
                else:
                    yield _still(image, within), None
        except NoPictureError:
            raise
        except MemoryError as error:
            raise NoPictureError(self._too_large()) from error
        except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError) as error:
            message = "The picture is damaged or was cut off: it cannot be decoded to its end. Open it elsewhere, and "
            raise NoPictureError(Failure(ErrorCode.MEDIA_DECODE, f"{message}save it again.")) from error

    def _open(self) -> Image.Image:
        try:
            return Image.open(io.BytesIO(self._data), formats=FORMATS)
        except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
            if self._data[4:8] == b"ftyp" and self._data[8:12] in _HEIF_BRANDS:
                sentence = "This is a picture in HEIC, which is not supported: save it as JPEG."
                raise NoPictureError(Failure(ErrorCode.MEDIA_UNSUPPORTED, sentence)) from error
            raise NoPictureError(reasons.nothing_shown(self._url)) from error

    def _draw_svg(self, within: Size) -> Image.Image:
        width, height = within
        drawn = resvg_py.svg_to_bytes(svg_string=self._data.decode(errors="replace"), width=width, height=height)
        return Image.open(io.BytesIO(drawn), formats=("PNG",))

    def _too_large(self) -> Failure:
        with self._open() as image:
            width, height = image.size
        return Failure(
            ErrorCode.MEDIA_UNSUPPORTED,
            f"The picture has {width} x {height} pixels, for which this box has not enough memory: make it smaller, "
            "or save it as a JPEG that is not progressive.",
        )


def fitted(size: Size, within: Size) -> Size:
    """The largest size of that shape."""
    scale = min(within[0] / size[0], within[1] / size[1])
    return max(1, min(within[0], round(size[0] * scale))), max(1, min(within[1], round(size[1] * scale)))


def _still(image: Image.Image, within: Size) -> Image.Image:
    sideways = image.getexif().get(0x0112, 1) >= 5  # TIFF's Orientation: from 5 on width and height change places
    target = fitted(image.size[::-1] if sideways else image.size, within)
    # A JPEG is decoded at 1/2, 1/4 or 1/8 of its size where that is enough: memory and time of a small picture.
    image.draft("RGB", target[::-1] if sideways else target)
    return _flat(_scaled(ImageOps.exif_transpose(image), target, Image.Resampling.LANCZOS))


def _animate(image: Image.Image, within: Size) -> Iterator[tuple[Image.Image, float | None]]:
    target = fitted(image.size, within)
    rounds = image.info.get("loop", 1)  # 0: for ever; none: once
    backdrop: int | None = None
    last: Image.Image | None = None
    played = 0
    while not rounds or played < rounds:
        played += 1
        for frame in ImageSequence.Iterator(image):
            seconds = frame.info.get("duration", 0) / 1000
            scaled = _scaled(frame.copy(), target, Image.Resampling.BILINEAR)
            backdrop = _backdrop(scaled) if backdrop is None else backdrop
            last = _flat(scaled, backdrop)
            yield last, seconds if seconds >= SHORTEST_FRAME_S else USUAL_FRAME_S
    if last is not None:
        yield last, None


def _scaled(image: Image.Image, size: Size, how: Image.Resampling) -> Image.Image:
    if image.mode.startswith("I") or image.mode == "F":  # 16 bits: the upper 8 of them
        image = image.convert("I").point(lambda value: value * (1 / 256)).convert("L")
    elif image.mode == "P" or "transparency" in image.info or image.mode not in ("L", "RGB", "LA", "RGBA", "CMYK"):
        image = image.convert("RGBA" if image.has_transparency_data else "RGB")
    return image.resize(size, how, reducing_gap=2.0)


def _flat(image: Image.Image, backdrop: int | None = None) -> Image.Image:
    if not image.has_transparency_data:
        return image.convert("RGB")
    image = image.convert("RGBA")
    shade = _backdrop(image) if backdrop is None else backdrop
    under = Image.new("RGBA", image.size, (shade, shade, shade, 255))
    return Image.alpha_composite(under, image).convert("RGB")


def _backdrop(image: Image.Image) -> int:
    """White (255) under what is dark and transparent, such as a QR code or a logo in black; black (0) under the
    rest."""
    if not image.has_transparency_data:
        return 0
    image = image.convert("RGBA")
    seen = image.getchannel("A").point(lambda alpha: 255 if alpha > 127 else 0)
    statistics = ImageStat.Stat(image.convert("L"), mask=seen)
    return 255 if statistics.count[0] and statistics.mean[0] < 128 else 0
