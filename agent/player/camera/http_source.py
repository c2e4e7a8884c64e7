"""A live stream over HTTP, MPEG-TS or HLS, as PyAV reads it.

FFmpeg checks the certificate of a playlist if it is told to, never those of what the playlist leads to
(libavformat/hls.c gives these connections few options), so all is asked for here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final
from urllib.parse import urlsplit

import av
import av.error
import httpx

from agent.player.camera.errors import GoneError, NotLiveError, RefusedError
from agent.player.camera.tail import SECONDS_LIMIT
from agent.player.web import Web, WebError, reason
from agent.types import ErrorCode, Failure

KEY_FRAME_LIMIT_S: Final = SECONDS_LIMIT
"""What the pictures are like is told with a key frame; there may be none for so long."""

PROBE_LIMIT: Final = 16 * 1024 * 1024
"""Bytes: 10 s at 12 Mbit/s. FFmpeg keeps them until as many have come, so this is also what a stream takes more at the
beginning."""
_TS: Final = {
    "analyzeduration": str(int(KEY_FRAME_LIMIT_S * 1e6)),
    "probesize": str(PROBE_LIMIT),
}
"""FFmpeg looks no longer than it must."""
PIECES_LOST: Final = 3
"""Pieces in a row that cannot be had, after which a stream is given up: FFmpeg would ask for the next ones for long."""
_PLAYLIST: Final = b"#EXTM3U"
_LENGTH: Final = re.compile(rb"(#EXTINF:)(\d+(?:\.\d+)?)")
_PLAYLIST_LIMIT: Final = 4 * 1024 * 1024
"""Bytes. One of a day in pieces of 2 s has 2 MB."""
SOONER: Final = 0.9
"""The part of its length after which what follows a piece is asked for; if there is nothing yet, FFmpeg asks again half
a piece later."""
_HLS: Final = {
    **_TS,
    "live_start_index": "-1",
    "http_persistent": "0",
    "http_multiple": "0",
    "allowed_extensions": "ALL",
    "allowed_segment_extensions": "ALL",
    "extension_picky": "0",
}
"""From the newest piece on; connections, and what is followed, are the business of this file. Names tell nothing: what
a piece is follows from its bytes."""


@contextmanager
def opened(url: str, *, silence_s: float) -> Iterator[Any]:
    """The container of PyAV; a read may take `silence_s`. Raises GoneError, or an error of FFmpeg, here and for what is
    read meanwhile."""
    source = _Source(url)
    try:
        # What it leads to is closed with it: the garbage collector would take the files first, and PyAV crash.
        with source.open(silence_s) as container:
            yield container
    except WebError as error:
        raise _gone(error.failure, url) from error
    except av.error.FFmpegError as error:
        if source.failure is not None:
            raise _gone(source.failure, url) from error
        raise
    finally:
        source.close()


class _Source:
    """The connections for one address. One thread at a time uses it."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._web = Web(url)
        self._first: Body | None = None
        """The playlist, which was asked for already."""
        self.failure: Failure | None = None
        """The last one of what a playlist leads to; FFmpeg tells of it in no words or in others."""
        self._lost = 0
        """Pieces in a row."""

    def open(self, silence_s: float) -> Any:
        """The container of PyAV. Raises WebError, NotLiveError, or an error of FFmpeg."""
        timeout = (KEY_FRAME_LIMIT_S, silence_s)
        answer = self._web.ask(self._url)
        body = Body(answer, self._url)
        if not body.begins_with(_PLAYLIST):
            if "Content-Length" in answer.headers:
                raise NotLiveError
            return av.open(body, format="mpegts", options=dict(_TS), timeout=timeout)
        self._first = body
        return av.open(str(answer.url), format="hls", options=dict(_HLS), timeout=timeout, io_open=self._open_next)

    def close(self) -> None:
        """Close all connections. Idempotent."""
        self._web.close()

    def _open_next(self, url: str, _flags: int, options: Mapping[str, str]) -> Body | Nothing:
        """The file at an address in a playlist. Where there is none it is empty: one lost piece ends nothing, and an
        empty playlist all."""
        first, self._first = self._first, None
        if first is not None:
            return _asked_for_in_time(first)
        if self._lost >= PIECES_LOST:
            return Nothing()
        if not url.lower().startswith(("http://", "https://")):
            kind = url.partition(":")[0]
            self.failure = Failure(
                ErrorCode.MEDIA_FORBIDDEN,
                f"The playlist leads to another kind of address ({kind}), which is not followed: leave keep_ready out.",
            )
            self._lost = PIECES_LOST
            return Nothing()
        try:
            body = Body(self._web.ask(url, _range(options)), url)
            self._lost = self._lost if body.begins_with(_PLAYLIST) else 0
            return _asked_for_in_time(body)
        except WebError as error:
            self.failure = error.failure
            self._lost += PIECES_LOST if error.failure.code is ErrorCode.MEDIA_FORBIDDEN else 1
            return Nothing()


class Body:
    """The body of an answer, as a file."""

    def __init__(self, answer: httpx.Response, url: str) -> None:
        self._answer = answer
        self._url = url
        self._pieces: Iterator[bytes] = answer.iter_bytes()
        self._rest = b""

    def begins_with(self, text: bytes) -> bool:
        """Wait until that can be told. Raises WebError."""
        while len(self._rest) < len(text) and (piece := self._next()):
            self._rest += piece
        return self._rest.startswith(text)

    def read(self, size: int) -> bytes:
        """At most so many bytes, as soon as there are any; none at the end. Raises WebError."""
        self._rest = self._rest or self._next()
        read, self._rest = self._rest[:size], self._rest[size:]
        return read

    def all(self) -> bytes:
        """All of it; for what is short. Raises WebError."""
        while (piece := self._next()) and len(self._rest) < _PLAYLIST_LIMIT:
            self._rest += piece
        return self._rest

    def replace(self, data: bytes) -> None:
        """Give this instead of what is still to be read."""
        self._rest, self._pieces = data, iter(())

    def close(self) -> None:
        """Read no more. Idempotent."""
        self._answer.close()

    def _next(self) -> bytes:
        try:
            return next(self._pieces, b"")
        except (httpx.HTTPError, OSError) as error:
            raise WebError(reason(error, self._url)) from error


class Nothing:
    """An empty file."""

    def read(self, _size: int) -> bytes:
        """Nothing."""
        return b""

    def close(self) -> None:
        """Do nothing."""


def _gone(failure: Failure, url: str) -> GoneError:
    is_refused = failure.code is ErrorCode.MEDIA_UNAUTHORIZED and "@" in urlsplit(url).netloc
    return RefusedError(failure.message) if is_refused else GoneError(failure.message)


def _asked_for_in_time(body: Body) -> Body:
    """A playlist that FFmpeg asks for again in time. It does so once the newest piece is over, up to 0.1 s later: each
    piece would come a little later than the one before, until one is missed."""
    if body.begins_with(_PLAYLIST):
        body.replace(_LENGTH.sub(lambda found: b"%s%.3f" % (found[1], float(found[2]) * SOONER), body.all()))
    return body


def _range(options: Mapping[str, str]) -> dict[str, str]:
    """The header for a part of a file (EXT-X-BYTERANGE)."""
    if "offset" not in options:
        return {}
    end = options.get("end_offset")
    return {"Range": f"bytes={options['offset']}-{int(end) - 1 if end else ''}"}
