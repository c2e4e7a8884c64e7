"""The kinds of fields of streams that callers send. Each says in words what it must be, and never repeats a value."""

from __future__ import annotations

from typing import Annotated, Final, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from central.core.fields import one_line
from central.streams.urls import holds_secret

_URL_SCHEMES: Final = ("http", "https", "rtsp", "rtsps", "rtmp", "rtmps", "udp", "rtp", "srt", "mms", "mmsh", "file")


def _media_url(url: str) -> str:
    try:
        parts = urlsplit(url)
        with_secret = holds_secret(url)
    except ValueError as error:
        raise ValueError("must be an address such as http://nas.local/film.mp4") from error
    is_whole = parts.netloc or (parts.scheme == "file" and parts.path)
    if parts.scheme not in _URL_SCHEMES or not is_whole or not url.isprintable() or " " in url:
        raise ValueError(
            "must be an address such as http://nas.local/film.mp4; it may begin with " + ", ".join(_URL_SCHEMES)
        )
    if with_secret:
        raise ValueError("must not hold a user name, a password or a token: anyone with the join code would see it")
    return url


Title = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(one_line)]
Url = Annotated[str, Field(min_length=1, max_length=4096), AfterValidator(_media_url)]
Quality = Literal["auto", "1080p", "720p", "low-latency"]
