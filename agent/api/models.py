"""What a caller may send: the bodies of the calls, forgiving in form (templates make strings of everything) and strict
in meaning."""

from __future__ import annotations

import difflib
import math
import re
import unicodedata
from collections.abc import Mapping
from itertools import islice
from typing import Annotated, Any, Final, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import PydanticCustomError

from agent.api.body import EXAMPLE
from agent.errors import FieldError, InvalidRequestError
from agent.types import Quality

TEN_YEARS_S: Final = 3650 * 86400
TITLE_LIMIT: Final = 200
WAIT_LIMIT_S: Final = 60.0

_NUMBER: Final = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_TRUE: Final = frozenset({"true", "on", "yes", "1"})
_FALSE: Final = frozenset({"false", "off", "no", "0"})
_ERRORS_SHOWN: Final = 20
_NAME_SHOWN: Final = 64


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


def parse_wait(value: str) -> float:
    """Seconds from the query parameter `wait`. Raises InvalidRequestError."""
    try:
        wait_s = parse_number(value)
    except ValueError:
        wait_s = 0.0
    if not 0 < wait_s <= WAIT_LIMIT_S:
        message = f"must be a number of seconds, more than 0 and at most {WAIT_LIMIT_S:g}"
        raise InvalidRequestError(f"wait {message}.", (FieldError("wait", message),))
    return wait_s


def _number(value: object) -> float:
    try:
        return parse_number(value)
    except ValueError as error:
        raise _wrong(str(error)) from error


def _duration(value: object) -> float:
    number = _number(value)
    if not 0 < number <= TEN_YEARS_S:
        raise _wrong(f"must be more than 0 and at most {TEN_YEARS_S} seconds (ten years)")
    return number


def _volume(value: object) -> float:
    number = _number(value)
    if not 0.0 <= number <= 1.0:
        raise _wrong("must be from 0.0 to 1.0; 0.5 is half")
    return number


def _switch(value: object) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, (int, str)):
        word = str(value).strip().lower() if isinstance(value, str) or value in (0, 1) else ""
        if word in _TRUE:
            return True
        if word in _FALSE:
            return False
    raise _wrong("must be true or false")


def _string(value: object) -> str:
    if not isinstance(value, str):
        raise _wrong("must be a string")
    return value


def _text(value: object) -> str:
    text = _string(value).strip()
    # Cs are halves of surrogate pairs: JSON can carry them, and no answer could be encoded with them.
    if any(unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") for character in text):
        raise _wrong("must not contain control characters or line breaks")
    return text


def _title(value: object) -> str:
    text = _text(value)
    if len(text) > TITLE_LIMIT:
        raise _wrong(f"must be at most {TITLE_LIMIT} characters")
    return text


def _quality(value: object) -> Quality:
    try:
        return Quality(_text(value).lower())
    except ValueError as error:
        raise _wrong(f"must be one of {', '.join(quality.value for quality in Quality)}") from error


class _Body(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    @classmethod
    def parse(cls, body: Mapping[str, Any]) -> Self:
        """Validate a JSON object. Raises InvalidRequestError that names every wrong field; never repeats a value.

        A field that is null or an empty string counts as left out.
        """
        given = {name: value for name, value in body.items() if not _left_out(value)}
        known = {name: value for name, value in given.items() if name in cls.model_fields}
        # Also an empty field is refused when it is unknown: it is a mistake in either case.
        unknown = (name for name in body if name not in cls.model_fields)
        errors = [cls._unknown(name) for name in islice(unknown, _ERRORS_SHOWN)]
        try:
            parsed = cls.model_validate(known)
        except ValidationError as error:
            details = error.errors(include_url=False, include_input=False, include_context=False)
            errors = [cls._wrong_field(detail["loc"], detail["type"], detail["msg"]) for detail in details] + errors
        if errors:
            raise _invalid(errors)
        return parsed

    @classmethod
    def _unknown(cls, name: str) -> FieldError:
        shown = name[:_NAME_SHOWN]
        close = difflib.get_close_matches(shown.lower(), cls.model_fields, n=1)
        hint = f"did you mean {close[0]}?" if close else f"the fields are {', '.join(cls.model_fields)}"
        return FieldError(shown, f"is not a known field; {hint}")

    @classmethod
    def _wrong_field(cls, location: tuple[int | str, ...], kind: str, message: str) -> FieldError:
        field = str(location[0]) if location else ""
        return FieldError(field, f"is required, for example {EXAMPLE}" if kind == "missing" else message)


class StartBody(_Body):
    """The body of `POST /start`."""

    url: Annotated[str, BeforeValidator(_string)]
    """What to play; whether it may be played is for the media policy to say."""
    quality: Annotated[Quality | None, BeforeValidator(_quality)] = None
    """None: as configured."""
    duration: Annotated[float | None, BeforeValidator(_duration), Field(gt=0, le=TEN_YEARS_S)] = None
    """Seconds from the first frame until it ends by itself; None: until it ends or is stopped."""
    title: Annotated[str | None, BeforeValidator(_title), Field(max_length=TITLE_LIMIT)] = None
    volume: Annotated[float, BeforeValidator(_volume), Field(ge=0, le=1)] = 1.0
    muted: Annotated[bool, BeforeValidator(_switch)] = False


class StopBody(_Body):
    """The body of `POST /stop`; no body at all is the same as an empty one."""

    session_id: Annotated[str | None, BeforeValidator(_text)] = None
    """Which one to end; None: what is on."""
    all: Annotated[bool, BeforeValidator(_switch)] = False


def _left_out(value: object) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def _wrong(message: str) -> PydanticCustomError:
    # The message holds no braces: pydantic would take them for a template.
    return PydanticCustomError("wrong_value", message)


def _invalid(errors: list[FieldError]) -> InvalidRequestError:
    shown = tuple(errors[:_ERRORS_SHOWN])
    sentence = "; ".join(f"{error.field} {error.message}" for error in shown[:3])
    more = "; and more, see errors" if len(errors) > 3 else ""
    text = sentence + more
    return InvalidRequestError(text if text.endswith("?") else f"{text}.", shown)
