"""Parsers for the values of a body: forgiving in form, because templates turn everything into strings, and strict in
meaning.

Each `as_` raises PydanticCustomError with what the value must be, and never repeats the value.
"""

from __future__ import annotations

import math
import re
import unicodedata
from typing import Final

from pydantic_core import PydanticCustomError

from agent.types import Quality, ShownAs

TEN_YEARS_S: Final = 3650 * 86400
REFRESH_LEAST_S: Final = 1.0
"""Pictures that change more often are a video: to fetch and decode a photograph takes a small box up to 1 s."""
DAY_S: Final = 86400.0
TITLE_LIMIT: Final = 200
SESSION_ID_LIMIT: Final = 64
"""Characters. Ours have 36; what is longer is something else, and is not to be repeated in an answer."""

PRESET_ID: Final = r"^[a-z0-9][a-z0-9_-]{0,63}$"

CODE: Final = r"^[0-9A-Z]{4,16}$"
"""The central API decides which characters and how many a code has."""
STREAM_ID: Final = r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"


_NUMBER: Final = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_TRUE: Final = frozenset({"true", "on", "yes", "1"})
_FALSE: Final = frozenset({"false", "off", "no", "0"})


def parse_number(value: object) -> float:
    """A finite number from a JSON number or a string that holds one. Raises ValueError with what it must be."""
    if isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
        number = float(value)
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
    else:
        raise ValueError("must be a number")
    if not math.isfinite(number):
        raise ValueError("must be a number that is not so large")
    return number


def as_duration(value: object) -> float:
    """Seconds: more than 0, at most ten years."""
    seconds = number(value)
    if not 0 < seconds <= TEN_YEARS_S:
        raise wrong(f"must be more than 0 and at most {TEN_YEARS_S} seconds (ten years)")
    return seconds


def up_to_a_day(value: object, least: float) -> float:
    """Seconds: from `least` to a day."""
    seconds = number(value)
    if not least <= seconds <= DAY_S:
        raise wrong(f"must be from {least:g} to {DAY_S:g} seconds (a day)")
    return seconds


def as_refresh(value: object) -> float:
    """Seconds: from 1 to a day."""
    return up_to_a_day(value, REFRESH_LEAST_S)


def as_position(value: object) -> float:
    """Seconds into the media: from 0 to ten years."""
    seconds = number(value)
    if not 0 <= seconds <= TEN_YEARS_S:
        raise wrong(f"must be from 0 to {TEN_YEARS_S} seconds (ten years)")
    return abs(seconds)  # there is a -0.0


def as_volume(value: object) -> float:
    """0.0-1.0."""
    level = number(value)
    if not 0.0 <= level <= 1.0:
        raise wrong("must be from 0.0 to 1.0; 0.5 is half")
    return abs(level)  # there is a -0.0


def as_switch(value: object) -> bool:
    """True or false, or the words and numbers that templates make of them."""
    if isinstance(value, bool):
        return value
    if isinstance(value, (int, str)):
        word = str(value).strip().lower() if isinstance(value, str) or value in (0, 1) else ""
        if word in _TRUE:
            return True
        if word in _FALSE:
            return False
    raise wrong("must be true or false")


def as_string(value: object) -> str:
    """A string as it is."""
    if not isinstance(value, str):
        raise wrong("must be a string")
    return value


def as_text(value: object) -> str:
    """A string of one line, without blanks around it."""
    text = as_string(value).strip()
    # Cs are halves of surrogate pairs: JSON can carry them, and no answer could be encoded with them.
    if any(unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") for character in text) or seen(text) != text:
        raise wrong("must not contain control characters, line breaks or characters that cannot be seen")
    return text


def seen(text: str) -> str:
    """The text without invisible characters and those that turn the writing direction. Joiners stay: Persian words and
    some emoji need them."""
    if text.isprintable():
        return text
    return "".join(c for c in text if c in "\u200c\u200d" or unicodedata.category(c) not in ("Cf", "Co"))


def as_title(value: object) -> str:
    """A text of at most TITLE_LIMIT characters, without those that cannot be seen: titles of media come with marks of
    the writing direction, which is no reason to show nothing."""
    text = as_text(seen(as_string(value)))
    if len(text) > TITLE_LIMIT:
        raise wrong(f"must be at most {TITLE_LIMIT} characters")
    return text


def as_session_id(value: object) -> str:
    """A text that may be the id of a session. The tracker knows whether there is one."""
    text = as_text(value)
    if len(text) > SESSION_ID_LIMIT:
        raise wrong("must be a session_id as /start and /status tell it; this is too long for one")
    return text


def as_preset_id(value: object) -> str:
    """The id of a preset."""
    text = as_string(value).strip()
    if re.fullmatch(PRESET_ID, text) is None:
        raise wrong(
            "must be 1 to 64 lower-case letters, digits, dashes and underscores, and begin with a letter or a digit: "
            "front-door, for example"
        )
    return text


def as_code(value: object) -> str:
    """A join code, as people type it: in lower case, with blanks and dashes."""
    is_number = isinstance(value, int) and not isinstance(value, bool)
    text = str(value) if is_number else as_string(value)  # one of digits only is a number for templates
    code = re.sub(r"[\s_-]", "", text).upper()
    if re.fullmatch(CODE, code) is None:
        raise wrong("must be a code such as K7QF2M, as it stands beside a stream that is on")
    return code


def as_stream_id(value: object) -> str:
    """The id of a stream of the central API."""
    stream_id = as_text(value).lower()
    if re.fullmatch(STREAM_ID, stream_id) is None:
        raise wrong("must be the id of a stream as the central API tells it; a join code goes into the field code")
    return stream_id


def as_video_id(value: object) -> str:
    """The id of a video in the library of the central API."""
    video_id = as_text(value).lower()
    if re.fullmatch(STREAM_ID, video_id) is None:
        raise wrong("must be the id of a video as the central API tells it")
    return video_id


def as_quality(value: object) -> Quality:
    """One of the qualities, in upper or lower case."""
    try:
        return Quality(as_text(value).lower())
    except ValueError as error:
        raise wrong(f"must be one of {', '.join(quality.value for quality in Quality)}") from error


def as_shown_as(value: object) -> ShownAs:
    """The kind of media that a caller declares, in upper or lower case."""
    try:
        return ShownAs(as_text(value).lower())
    except ValueError as error:
        raise wrong('must be "page", or left out for a stream') from error


def is_left_out(value: object) -> bool:
    """Return True if a field with this value counts as left out: templates make empty strings."""
    return value is None or (isinstance(value, str) and not value.strip())


def number(value: object) -> float:
    try:
        return parse_number(value)
    except ValueError as error:
        raise wrong(str(error)) from error


def wrong(message: str) -> PydanticCustomError:
    # The message holds no braces: pydantic would take them for a template.
    return PydanticCustomError("wrong_value", message)
