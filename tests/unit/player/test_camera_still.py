"""The last key frame of a camera as a picture: how it is made, and what is believed of an answer."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from http.client import HTTPException
from typing import Any

import av
import pytest
from PIL import Image

from agent.player.camera.still import BT601, BT709, HD_LINES, SIZE_HEADER, Room, decode, fetch
from agent.raw_picture import RawPicture

RED = (255, 0, 0)


def key_frame(size: tuple[int, int], aspect: Fraction) -> tuple[Any, bytes]:
    """A red picture as a camera sends it: its track, and its data."""
    track = av.CodecContext.create("libx264", "w")
    track.width, track.height = size
    track.pix_fmt = "yuv420p"
    track.time_base = Fraction(1, 25)
    track.sample_aspect_ratio = aspect
    track.options = {"tune": "zerolatency"}
    image: Any = av.VideoFrame.from_image(Image.new("RGB", size, RED))  # type: ignore[no-untyped-call]
    frame = image.reformat(format="yuv420p", dst_colorspace=BT709 if size[1] >= HD_LINES else BT601)
    data = b"".join(bytes(packet) for packet in [*track.encode(frame), *track.encode(None)])
    return _Track(track), data


class _Track:
    def __init__(self, context: Any) -> None:
        self.codec_context = _Context(context)


class _Context:
    def __init__(self, context: Any) -> None:
        self.codec = context.codec
        self.extradata = context.extradata
        self.sample_aspect_ratio = context.sample_aspect_ratio


@pytest.mark.parametrize(
    ("size", "aspect", "expected"),
    [
        ((1280, 720), Fraction(1), (640, 360)),
        ((640, 480), Fraction(1), (480, 360)),
        ((720, 576), Fraction(64, 45), (640, 360)),
        ((320, 960), Fraction(1), (120, 360)),
        ((160, 90), Fraction(1), (640, 360)),
    ],
)
def test_a_key_frame_fits_the_screen(size: tuple[int, int], aspect: Fraction, expected: tuple[int, int]) -> None:
    """Whole, in its own shape, and in the colours of SD or HD, since it does not say which."""
    track, data = key_frame(size, aspect)
    made = decode(track, data, Room(640, 360))
    assert made is not None
    assert (made.width, made.height) == expected
    image = Image.frombuffer("RGB", expected, made.data, "raw", "BGRX", 0, 1)
    corners = [image.getpixel((x, y)) for x in (0, expected[0] - 1) for y in (0, expected[1] - 1)]
    assert all(abs(part - wanted) < 8 for corner in corners for part, wanted in zip(corner, RED, strict=True))  # type: ignore[arg-type]


def test_what_is_no_picture_by_itself_is_none() -> None:
    track, data = key_frame((64, 64), Fraction(1))
    with pytest.raises(av.error.FFmpegError):
        decode(track, b"\0\0\0\1\x65" + bytes(20), Room(64, 64))
    assert decode(track, data, Room(64, 64)) is not None


@pytest.mark.parametrize("query", ["width=1", "width=0&height=1", "width=9999&height=1", "width=a&height=1", "=", "x"])
def test_a_request_names_a_size(query: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        Room.of(query)
    assert Room.of("width=640&height=360") == Room(640, 360)


@contextmanager
def answering(answer: Callable[[http.server.BaseHTTPRequestHandler], None]) -> Iterator[str]:
    """The address of a process that answers so."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer(self)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/secret.nut"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def sends(size: str, body: bytes, status: int = 200) -> Callable[[http.server.BaseHTTPRequestHandler], None]:
    def answer(handler: http.server.BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        handler.send_header(SIZE_HEADER, size)
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def test_a_picture_is_fetched() -> None:
    with answering(sends("2 1", b"abc_def_")) as address:
        assert fetch(address, Room(2, 2)) == RawPicture(2, 1, b"abc_def_")


def test_there_may_be_none() -> None:
    with answering(sends("2 1", b"", 404)) as address:
        assert fetch(address, Room(2, 2)) is None


@pytest.mark.parametrize(
    ("size", "body"),
    [
        ("3 1", b"x" * 12),  # wider than asked for
        ("2 3", b"x" * 24),
        ("0 1", b"x" * 8),
        ("-1 -1", b"x" * 8),
        ("2 1", b"x" * 7),  # cut off
        ("2", b"x" * 8),
        ("2 1 1", b"x" * 8),
        ("a b", b"x" * 8),
        ("", b"x" * 8),
    ],
)
def test_a_hostile_process_is_not_believed(size: str, body: bytes) -> None:
    """It reads what cameras send."""
    with answering(sends(size, body)) as address, pytest.raises((ValueError, HTTPException)):
        fetch(address, Room(2, 2))
