"""The kinds of fields of what callers send. Each says in words what it must be, and never repeats a value."""

from __future__ import annotations

import json
import re
import unicodedata
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, AwareDatetime, Field, JsonValue

from central.ids import ID_PATTERN
from central.services.pages import PAGE_LIMIT
from central.urls import holds_secret

METADATA_LIMIT: Final = 8 * 1024
"""Bytes of metadata, as JSON."""

_URL_SCHEMES: Final = ("http", "https", "rtsp", "rtsps", "rtmp", "rtmps", "udp", "rtp", "srt", "mms", "mmsh", "file")

_PATH_PATTERN: Final = r"^[0-9a-zA-Z_\-/.~:]+$"
"""Of paths, as MediaMTX has it."""


_JOINERS: Final = "\u200c\u200d"
"""Invisible, and needed inside words of Persian and Hindi, and in emoji."""


def _one_line(text: str) -> str:
    text = text.strip()
    if not text:
        raise ValueError("must not be empty")
    if any(unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") for character in text):
        raise ValueError("must not contain control characters or line breaks")
    return text


def _name(text: str) -> str:
    """A name tells one from another, so nothing in it is invisible or turns the rest of a line around."""
    text = _one_line(text)
    if any(unicodedata.category(character) == "Cf" and character not in _JOINERS for character in text):
        raise ValueError("must not contain invisible characters")
    if all(unicodedata.category(character)[0] in "CMZ" for character in text):
        raise ValueError("must hold something that can be seen")
    return text


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
        raise ValueError("must not hold a user name, a password or a token: whoever knows the join code would see it")
    return url


def _small(metadata: dict[str, Any]) -> dict[str, Any]:
    try:
        size = len(json.dumps(metadata))
    except (RecursionError, ValueError) as error:
        raise ValueError("is nested too deeply") from error
    if size > METADATA_LIMIT:
        raise ValueError(f"must be at most {METADATA_LIMIT} bytes of JSON")
    return metadata


def _path(path: str) -> str:
    if re.fullmatch(_PATH_PATTERN, path) is None:
        raise ValueError("must hold only letters, digits and _ - . ~ : /, such as live/kitchen")
    if ".." in path.split("/") or "//" in path or path.startswith("/") or path.endswith("/"):
        raise ValueError("must be a path such as live/kitchen")
    return path


def _in_utc(moment: datetime) -> datetime:
    if not 1970 <= moment.year < 3000:
        raise ValueError("must be between the years 1970 and 2999")
    return moment.astimezone(UTC)


Id = Annotated[str, Field(pattern=ID_PATTERN)]
Name = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_name)]
Title = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_one_line)]
Url = Annotated[str, Field(min_length=1, max_length=4096), AfterValidator(_media_url)]
Quality = Literal["auto", "1080p", "720p", "low-latency"]
Metadata = Annotated[dict[str, JsonValue], AfterValidator(_small)]
MediaPath = Annotated[
    str, Field(min_length=1, max_length=200, json_schema_extra={"pattern": _PATH_PATTERN}), AfterValidator(_path)
]
Cursor = Annotated[str, Field(min_length=1, max_length=200, description="The next_cursor of the page before.")]
Limit = Annotated[int, Field(ge=1, le=PAGE_LIMIT, description="The most items of the page.")]
Expiry = Annotated[AwareDatetime, AfterValidator(_in_utc)]
