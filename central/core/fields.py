"""The kinds of fields of what callers send. Each says in words what it must be, and never repeats a value."""

from __future__ import annotations

import json
import unicodedata
from typing import Annotated, Any, Final

from pydantic import AfterValidator, Field, JsonValue

from central.core.ids import ID_PATTERN
from central.core.pages import PAGE_LIMIT

METADATA_LIMIT: Final = 8 * 1024
"""Bytes of metadata, as JSON."""


_JOINERS: Final = "\u200c\u200d"
"""Invisible, and needed inside words of Persian and Hindi, and in emoji."""


def one_line(text: str) -> str:
    text = text.strip()
    if not text:
        raise ValueError("must not be empty")
    if any(unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") for character in text):
        raise ValueError("must not contain control characters or line breaks")
    return text


def _name(text: str) -> str:
    """A name. It tells one thing from another, so no character is invisible or changes the direction of the rest of the
    line."""
    text = one_line(text)
    if any(unicodedata.category(character) == "Cf" and character not in _JOINERS for character in text):
        raise ValueError("must not contain invisible characters")
    if all(unicodedata.category(character)[0] in "CMZ" for character in text):
        raise ValueError("must hold something that can be seen")
    return text


def _small(metadata: dict[str, Any]) -> dict[str, Any]:
    try:
        size = len(json.dumps(metadata))
    except (RecursionError, ValueError) as error:
        raise ValueError("is nested too deeply") from error
    if size > METADATA_LIMIT:
        raise ValueError(f"must be at most {METADATA_LIMIT} bytes of JSON")
    return metadata


Id = Annotated[str, Field(pattern=ID_PATTERN)]
Name = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_name)]
Metadata = Annotated[dict[str, JsonValue], AfterValidator(_small)]
Cursor = Annotated[str, Field(min_length=1, max_length=200, description="The next_cursor of the page before.")]
Limit = Annotated[int, Field(ge=1, le=PAGE_LIMIT, description="The most items of the page.")]
