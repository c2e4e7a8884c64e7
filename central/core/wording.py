"""The mistakes in a value, in the words of the caller: pydantic's own messages are for the authors of the models."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping
from typing import Any, Final

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from cast_wire import models as wire
from central.core.errors import FieldError
from central.core.ids import ID_PATTERN
from central.core.secrets import DIGEST_PATTERN

FIELDS_SHOWN: Final = 20
"""Wrong fields of one body that are listed."""

_NAME_SHOWN: Final = 100

_WHOLE: Final = "must be a whole number"
_NUMBER: Final = "must be a number"
_SWITCH: Final = "must be true or false"
_OBJECT: Final = "must be a JSON object"
_LIST: Final = "must be a list"
_MOMENT: Final = "must be a moment with its time zone, such as 2026-11-21T03:44:26Z"

_UNUSABLE: Final = "cannot be used as it is; /openapi.json says what it must be"

_WORDS: Final[Mapping[str, str]] = {
    "missing": "is required",
    "string_type": "must be a string",
    "string_too_long": "must be at most {max_length} characters",
    "int_type": _WHOLE,
    "int_parsing": _WHOLE,
    "int_parsing_size": _WHOLE,
    "int_from_float": _WHOLE,
    "float_type": _NUMBER,
    "float_parsing": _NUMBER,
    "finite_number": _NUMBER,
    "bool_type": _SWITCH,
    "bool_parsing": _SWITCH,
    "dict_type": _OBJECT,
    "model_type": _OBJECT,
    "model_attributes_type": _OBJECT,
    "tuple_type": _LIST,
    "list_type": _LIST,
    "too_short": "must have at least {min_length} entries",
    "too_long": "must have at most {max_length} entries",
    "greater_than_equal": "must be at least {ge:g}",
    "less_than_equal": "must be at most {le:.17g}",
    "timezone_aware": _MOMENT,
}
"""The words by pydantic's kinds of errors, with its values of the limits."""

_FORMS: Final[Mapping[str, str]] = {
    ID_PATTERN: "must be an id, such as 01a1fd12-eb6c-748a-a719-cf4ecab6bccb",
    DIGEST_PATTERN: "must be a SHA-256: 64 hexadecimal digits, with small letters",
    wire.KIND_PATTERN: "must be a word of at most 64 small letters, digits and _, such as session_started",
    wire.DEVICE_TOKEN_PATTERN: "must be dt_ and 43 letters, digits, _ and -: 256 random bits in URL-safe base64",
}
"""The descriptions of patterns."""


def wrong_fields(error: ValidationError, known: Collection[str]) -> tuple[FieldError, ...]:
    """Each wrong field with its rule, never its value. `known` are the names of all fields."""
    details = error.errors(include_url=False, include_input=False)
    return tuple(_wrong_field(detail, known) for detail in details[:FIELDS_SHOWN])


def sentence_of(errors: Collection[FieldError]) -> str:
    """A sentence that says what is wrong."""
    shown = "; ".join(f"{error.field} {error.message}".strip() for error in list(errors)[:3])
    text = shown + ("; and more, see errors" if len(errors) > 3 else "")
    return text if text.endswith("?") else f"{text}."


def _wrong_field(detail: ErrorDetails, known: Collection[str]) -> FieldError:
    field = ".".join(str(part) for part in detail["loc"])[:_NAME_SHOWN]
    if detail["type"] == "extra_forbidden":
        close = difflib.get_close_matches(field, known, n=1)
        hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(known)}" if known else "there are none"
        return FieldError(field, f"is not known here; {hint}")
    return FieldError(field, _message(detail["type"], detail["msg"], detail.get("ctx", {})))


def _message(kind: str, message: str, limits: Mapping[str, Any]) -> str:
    if kind == "value_error":
        return message.removeprefix("Value error, ")
    if kind == "string_pattern_mismatch":
        return _FORMS.get(limits["pattern"], _UNUSABLE)
    if kind == "string_too_short":
        least = limits["min_length"]
        return "must not be empty" if least == 1 else f"must be at least {least} characters"
    if kind in ("literal_error", "enum"):
        return f"must be {limits['expected']}".replace("'", "")
    if kind.startswith("datetime_"):
        return _MOMENT
    return _WORDS.get(kind, _UNUSABLE).format_map(limits)
