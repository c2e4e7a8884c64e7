"""Parsers for the values that say how a web page is shown; see `fields`."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from agent.casting.fields import as_string, as_text, is_left_out, number, up_to_a_day, wrong
from agent.media.redaction import redact
from agent.page_options import PageOptions

ZOOM_LEAST: Final = 0.25
ZOOM_LIMIT: Final = 5.0
"""The limits of the browser itself."""
SCROLL_LIMIT: Final = 1_000_000
CSS_LIMIT: Final = 10_000
"""Characters: what hides a header has 50."""
USER_AGENT_LIMIT: Final = 500
TURN_LEAST_S: Final = 2.0
"""A browser starts for each turn of a page: 0.5 s of a processor."""
TURNS_LIMIT: Final = 20
TURN_URL_LIMIT: Final = 4096
LANGUAGE: Final = r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}$"
TIME_ZONE: Final = r"^[A-Za-z0-9_+-]{1,32}(/[A-Za-z0-9_+-]{1,32}){0,2}$"
"""The browser decides which names exist."""


def as_page(value: object) -> dict[str, Any]:
    """A JSON object, or a text that is one, without what is left out of it."""
    if isinstance(value, PageOptions):
        value = value.given()
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            value = None
    if not isinstance(value, Mapping):
        raise wrong("must be an object, such as one with the field zoom and the value 1.5")
    return _given(value)


def as_list(value: object) -> list[Any]:
    """A JSON list, without what is left out of the objects in it."""
    if not isinstance(value, list | tuple):
        raise wrong("must be a list of pages, each with a url")
    return [_given(each) if isinstance(each, Mapping) else each for each in value]


def as_turn(value: object) -> float:
    """Seconds: from 2 to a day."""
    return up_to_a_day(value, TURN_LEAST_S)


def as_turn_url(value: object) -> str:
    """The address of a page, without what nobody may be shown."""
    text = as_text(value)
    if not text.startswith(("http://", "https://")) or len(text) > TURN_URL_LIMIT:
        raise wrong(f"must begin with http:// or https://, and have at most {TURN_URL_LIMIT} characters")
    if redact(text) != text:
        raise wrong("must not hold a user name, a password or a token: only the first page may")
    return text


def as_zoom(value: object) -> float:
    """A factor: from 0.25 to 5."""
    factor = number(value)
    if not ZOOM_LEAST <= factor <= ZOOM_LIMIT:
        raise wrong(f"must be from {ZOOM_LEAST:g} to {ZOOM_LIMIT:g}; 2 shows everything twice as large")
    return factor


def as_scroll(value: object) -> int:
    """Pixels: a whole number from 0."""
    pixels = number(value)
    if not 0 <= pixels <= SCROLL_LIMIT or pixels != int(pixels):
        raise wrong(f"must be a whole number of pixels from 0 to {SCROLL_LIMIT}")
    return int(pixels)


def as_css(value: object) -> str:
    """A style sheet of at most CSS_LIMIT characters."""
    text = as_string(value)
    if len(text) > CSS_LIMIT or any(unicodedata.category(character) == "Cs" for character in text):
        raise wrong(f"must be a style sheet of at most {CSS_LIMIT} characters")
    return text


def as_language(value: object) -> str:
    """A language, and where it is spoken."""
    text = as_text(value)
    if re.fullmatch(LANGUAGE, text) is None:
        raise wrong("must be a language such as de or pt-BR")
    return text


def as_time_zone(value: object) -> str:
    """The name of a time zone that this system knows, or any possible one where it knows none."""
    text = as_text(value)
    if re.fullmatch(TIME_ZONE, text) is None or (not _is_time_zone(text) and _is_time_zone("UTC")):
        raise wrong("must be a time zone such as Europe/Berlin")
    return text


def _is_time_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # OSError for a folder, such as Europe
        return False
    return True


def as_user_agent(value: object) -> str:
    """A header of at most USER_AGENT_LIMIT characters."""
    text = as_text(value)
    if len(text) > USER_AGENT_LIMIT or not text.isascii():
        raise wrong(f"must be at most {USER_AGENT_LIMIT} characters, all of them of ASCII")
    return text


def _given(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if not is_left_out(value)}
