"""The bytes of a picture, from a web server or a media folder, or why there are none."""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path
from urllib.parse import unquote_to_bytes, urlsplit

import httpx

from agent.player import reasons
from agent.player.web import Web, WebError, reason
from agent.types import ErrorCode, Failure

SIZE_LIMIT = 128 * 1024 * 1024
"""Bytes. A photograph of 100 megapixels takes 60 MB at the most."""

_PIECE = 256 * 1024
_ACCEPT = "image/*, */*;q=0.5"
_STREAMS = ("multipart/", "video/", "audio/")
"""Answers that are no picture, whatever comes: some of them never end."""
_PAGE = "text/html"


class NoPictureError(Exception):
    """There is no picture to show."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


def fetch(url: str) -> bytes:
    """The content of this http, https or file address. Blocks. Raises NoPictureError."""
    try:
        return _read_file(url) if url.startswith("file:") else _get(url)
    except WebError as error:
        raise NoPictureError(error.failure) from error
    except (httpx.HTTPError, OSError) as error:
        raise NoPictureError(reason(error, url)) from error


def _read_file(url: str) -> bytes:
    path = Path(os.fsdecode(unquote_to_bytes(urlsplit(url).path)))
    with path.open("rb") as file:
        data = file.read(SIZE_LIMIT + 1)
    _check_size(len(data))
    return data


def _get(url: str) -> bytes:
    with Web(url, accept=_ACCEPT) as web, closing(web.ask(url)) as answer:
        return _body(answer, url)


def _body(answer: httpx.Response, url: str) -> bytes:
    kind = answer.headers.get("Content-Type", "").lower()
    if kind.startswith(_PAGE):
        raise NoPictureError(reasons.web_page(url))
    if kind.startswith(_STREAMS):
        raise NoPictureError(reasons.nothing_shown(url))
    data = bytearray()
    for piece in answer.iter_bytes(_PIECE):
        data += piece
        _check_size(len(data))
    return bytes(data)


def _check_size(size: int) -> None:
    if size > SIZE_LIMIT:
        limit = f"A picture may have {SIZE_LIMIT // 2**20} MiB, and this one has more. Make it smaller."
        raise NoPictureError(Failure(ErrorCode.MEDIA_UNSUPPORTED, limit))
