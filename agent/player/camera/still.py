"""The last key frame of a camera as a picture, raw, from the process that keeps it ready to the daemon."""

from __future__ import annotations

import http.client
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qs, urlsplit

from agent.raw_picture import RawPicture

SIDE_LIMIT: Final = 8192
"""Pixels of a side of the screen that a picture is asked for: more than any has."""
FETCH_LIMIT_S: Final = 1.0
"""A key frame of 4K takes 40 ms; a player shows moving pictures long before this."""
TYPE: Final = "image/x-bgrx"
SIZE_HEADER: Final = "X-Size"
HD_LINES: Final = 720
"""Pictures of so many lines have the colours of HD where they do not say which; players take them so, too."""
BT601: Final = 5
BT709: Final = 1
UNKNOWN: Final = 2
"""FFmpeg's numbers of how colours are meant: of SD, of HD, and where a camera does not say."""


class Room(NamedTuple):
    """The pixels that a picture may fill."""

    width: int
    height: int

    @classmethod
    def of(cls, query: str) -> Room:
        """The room that a request names. Raises ValueError."""
        asked = parse_qs(query)
        width, height = (int(asked[name][0]) if name in asked else 0 for name in cls._fields)
        if not (0 < width <= SIDE_LIMIT and 0 < height <= SIDE_LIMIT):
            raise ValueError("not a size")
        return cls(width, height)


def decode(track: Any, data: bytes, room: Room) -> RawPicture | None:
    """The picture of a key frame of `track`, PyAV's, as large as it fits; None if it is none by itself. Raises an error
    of FFmpeg."""
    import av  # not for the daemon, which needs the rest of this: it takes 30 MB

    context = av.CodecContext.create(track.codec_context.codec.canonical_name, "r")
    context.extradata = track.codec_context.extradata
    context.thread_type = "NONE"  # frames in several threads would each wait for the next one
    frames = [*context.decode(av.Packet(data)), *context.decode(None)]
    if not frames:
        return None
    frame = frames[0]
    ratio = float(track.codec_context.sample_aspect_ratio or 1) * frame.width / frame.height
    width = min(room.width, round(room.height * ratio))
    height = min(room.height, round(room.width / ratio))
    space = frame.colorspace if frame.colorspace != UNKNOWN else (BT709 if frame.height >= HD_LINES else BT601)
    made = frame.reformat(max(1, width), max(1, height), "bgra", src_colorspace=space)
    plane, row = made.planes[0], made.width * 4
    rows = memoryview(plane).cast("B")
    packed = (rows[start : start + row] for start in range(0, plane.line_size * made.height, plane.line_size))
    return RawPicture(made.width, made.height, bytes(rows) if plane.line_size == row else b"".join(packed))


def fetch(address: str, room: Room) -> RawPicture | None:
    """The picture of the camera at this address of ours; None if it has none. Blocks for FETCH_LIMIT_S at most for each
    part of the answer. Raises OSError, HTTPException, and ValueError for an answer that is none."""
    parts = urlsplit(address)
    line = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=FETCH_LIMIT_S)
    try:
        line.request("GET", f"{parts.path}?width={room.width}&height={room.height}")
        answer = line.getresponse()
        if answer.status != http.HTTPStatus.OK:
            return None
        width, height = (int(number) for number in answer.getheader(SIZE_HEADER, "").split())
        if not (0 < width <= room.width and 0 < height <= room.height):
            raise ValueError("not the size of a picture that was asked for")
        data = answer.read(width * height * 4)
        if len(data) < width * height * 4:
            raise ValueError("not all of a picture")
        return RawPicture(width, height, data)
    finally:
        line.close()
