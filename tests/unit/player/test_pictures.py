"""The fitting and packing of pictures for the screen, and the engine that an address gets for them."""

from __future__ import annotations

import itertools

import httpx
import pytest
from PIL import Image

from agent.player.pillow.command import looks_like_picture
from agent.player.pillow.decode import Picture, fitted
from agent.player.pillow.fetch import NoPictureError, _body
from agent.util.ximage import Layout

COLOURS = [(0, 0, 0), (255, 255, 255), (255, 0, 0), (0, 255, 0), (0, 0, 255), (18, 52, 86)]
LAYOUTS = {
    "24 bits": Layout(32, True, (0xFF0000, 0xFF00, 0xFF)),
    "24 bits, blue first": Layout(32, True, (0xFF, 0xFF00, 0xFF0000)),
    "24 bits, big endian": Layout(32, False, (0xFF0000, 0xFF00, 0xFF)),
    "24 bits, packed": Layout(24, True, (0xFF0000, 0xFF00, 0xFF)),
    "30 bits": Layout(32, True, (0x3FF00000, 0xFFC00, 0x3FF)),
    "16 bits": Layout(16, True, (0xF800, 0x7E0, 0x1F)),
    "15 bits": Layout(16, True, (0x7C00, 0x3E0, 0x1F)),
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_depth_of_a_screen_has_its_layout(name: str) -> None:
    """Each part of a colour lands in its mask, as exactly as the depth allows; rows are padded to 4 bytes."""
    layout = LAYOUTS[name]
    picture = Image.new("RGB", (3, 2))
    for colour, at in zip(COLOURS, itertools.product(range(3), range(2)), strict=True):
        picture.putpixel(at, colour)
    rows = layout.pack(picture)
    data, stride = rows.data, rows.stride
    assert (rows.width, rows.height) == picture.size
    size = layout.bits // 8
    assert (len(data), stride % 4) == (stride * 2, 0)
    for colour, (x, y) in zip(COLOURS, itertools.product(range(3), range(2)), strict=True):
        stored = data[y * stride + x * size :][:size]
        pixel = int.from_bytes(stored, "little" if layout.little_endian else "big")
        for value, mask in zip(colour, layout.masks, strict=True):
            most = mask // (mask & -mask)
            assert (pixel & mask) // (mask & -mask) == round(value * most / 255)


@pytest.mark.parametrize(
    ("size", "within", "expected"),
    [
        ((640, 360), (1920, 1080), (1920, 1080)),
        ((9000, 500), (1920, 1080), (1920, 107)),
        ((1, 100_000), (1920, 1080), (1, 1080)),
        ((100_000, 1), (1920, 1080), (1920, 1)),
        ((25, 25), (1920, 1080), (1080, 1080)),
    ],
)
def test_a_picture_fills_the_screen_in_its_shape(
    size: tuple[int, int], within: tuple[int, int], expected: tuple[int, int]
) -> None:
    """It is as large as the screen allows, and never less than a pixel."""
    assert fitted(size, within) == expected


@pytest.mark.parametrize(
    ("url", "is_one"),
    [
        ("http://nas.local/a.JPG?size=1", True),
        ("file:///srv/plan.svg", True),
        ("http://cam.local/snapshot.cgi", False),
        ("http://cam.local/video.mjpg", False),
        ("rtsp://cam.local/a.jpg", False),
    ],
)
def test_an_address_may_tell_a_picture(url: str, is_one: bool) -> None:
    """Its ending does, where it is one that can be fetched."""
    assert looks_like_picture(url) is is_one


def test_a_web_page_in_place_of_a_picture_is_called_one() -> None:
    answer = httpx.Response(200, headers={"Content-Type": "Text/HTML; charset=utf-8"}, content=b"<p>Log in")
    with pytest.raises(NoPictureError, match="sent a web page"):
        _body(answer, "http://camera.lan/snapshot.jpg")


def test_a_file_of_comments_is_no_drawing_at_once() -> None:
    """A file that begins like a drawing and is none is refused without trying every way to read it."""
    with pytest.raises(NoPictureError):
        Picture(b"<!---->" * 580, url="http://nas.local/x.svg")
