"""What a caller may send: the bodies of the calls, and the query parameter `wait`."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping
from itertools import islice
from typing import Annotated, Any, ClassVar, Final, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from agent.casting.service import Wish
from agent.errors import FieldError, InvalidRequestError
from agent.frontends.http.fields import (
    REFRESH_LEAST_S,
    REFRESH_LIMIT_S,
    SESSION_ID_LIMIT,
    TEN_YEARS_S,
    TITLE_LIMIT,
    as_code,
    as_duration,
    as_position,
    as_quality,
    as_refresh,
    as_session_id,
    as_stream_id,
    as_string,
    as_switch,
    as_text,
    as_title,
    as_volume,
    parse_number,
)
from agent.types import Quality

WAIT_LIMIT_S: Final = 60.0

_ERRORS_SHOWN: Final = 20
_NAME_SHOWN: Final = 64


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


class _Body(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    EXAMPLE: ClassVar[str]
    """A good body, for who sent another."""

    @classmethod
    def parse(cls, body: Mapping[str, Any]) -> Self:
        """Validate a JSON object. Raises InvalidRequestError that names every wrong field; never repeats a value.

        A field that is null or an empty string counts as left out.
        """
        given = {name: value for name, value in body.items() if not _left_out(value)}
        known = {name: value for name, value in given.items() if name in cls.model_fields}
        # Also an empty field is refused when it is unknown: it is a mistake in either case.
        unknown = (name for name in body if name not in cls.model_fields)
        errors = cls._wrong_together(known) + [cls._unknown(name) for name in islice(unknown, _ERRORS_SHOWN)]
        try:
            parsed = cls.model_validate(known)
        except ValidationError as error:
            details = error.errors(include_url=False, include_input=False, include_context=False)
            errors = [cls._wrong_field(detail["loc"], detail["type"], detail["msg"]) for detail in details] + errors
        if errors:
            raise _invalid(errors)
        return parsed

    @classmethod
    def _wrong_together(cls, given: Collection[str]) -> list[FieldError]:
        """What is wrong with the fields that were given as a whole."""
        return []

    @classmethod
    def _unknown(cls, name: str) -> FieldError:
        shown = name[:_NAME_SHOWN]
        close = difflib.get_close_matches(shown.lower(), cls.model_fields, n=1)
        if close:
            hint = f"did you mean {close[0]}?"
        elif cls.model_fields:
            hint = f"the fields are {', '.join(cls.model_fields)}"
        else:
            hint = "this call takes none"
        return FieldError(shown, f"is not a known field; {hint}")

    @classmethod
    def _wrong_field(cls, location: tuple[int | str, ...], kind: str, message: str) -> FieldError:
        field = str(location[0]) if location else ""
        return cls._missing(field) if kind == "missing" else FieldError(field, message)

    @classmethod
    def _missing(cls, field: str) -> FieldError:
        return FieldError(field, f"is required, for example {cls.EXAMPLE}")


class StartBody(_Body):
    """The body of `POST /start`: with one of `url`, `code` and `stream_id` a new session, with `session_id` a change of
    that one."""

    EXAMPLE = '{"url": "http://example.org/film.mp4"}'
    FIXED: ClassVar = ("code", "stream_id", "quality", "position", "loop", "refresh", "interrupt")
    """What a session keeps for its life."""

    url: Annotated[str | None, BeforeValidator(as_string)] = None
    """What to play; whether it may be played is for the media policy to say."""
    code: Annotated[str | None, BeforeValidator(as_code)] = None
    """The join code of a stream of the central API, to be played instead."""
    stream_id: Annotated[str | None, BeforeValidator(as_stream_id)] = None
    """The id of such a stream."""
    quality: Annotated[Quality | None, BeforeValidator(as_quality)] = None
    """None: as configured."""
    duration: Annotated[float | None, BeforeValidator(as_duration), Field(gt=0, le=TEN_YEARS_S)] = None
    """Seconds from the first frame (in a change: from now) until it ends by itself; None: until it ends or is
    stopped (in a change: as it was)."""
    title: Annotated[str | None, BeforeValidator(as_title), Field(max_length=TITLE_LIMIT)] = None
    volume: Annotated[float | None, BeforeValidator(as_volume), Field(ge=0, le=1)] = None
    """None: the volume of the device (in a change: as it was)."""
    muted: Annotated[bool | None, BeforeValidator(as_switch)] = None
    """None: the mute of the device (in a change: as it was)."""
    position: Annotated[float, BeforeValidator(as_position), Field(ge=0, le=TEN_YEARS_S)] = 0.0
    """Seconds into the media at which to begin."""
    loop: Annotated[bool, BeforeValidator(as_switch)] = False
    refresh: Annotated[float | None, BeforeValidator(as_refresh), Field(ge=REFRESH_LEAST_S, le=REFRESH_LIMIT_S)] = None
    """Seconds after which a still picture is fetched again; None: it is shown as it is."""
    interrupt: Annotated[bool, BeforeValidator(as_switch)] = False
    session_id: Annotated[str | None, BeforeValidator(as_session_id), Field(max_length=SESSION_ID_LIMIT)] = None
    """The session to change; None: a new one."""

    def wish(self) -> Wish:
        """What it asks for."""
        return Wish(**{name: getattr(self, name) for name in type(self).model_fields})

    @classmethod
    def _wrong_together(cls, given: Collection[str]) -> list[FieldError]:
        if "session_id" in given:
            message = "cannot be changed: leave it out, or leave out session_id to start anew"
            return [FieldError(name, message) for name in cls.FIXED if name in given]
        what = [name for name in ("url", "code", "stream_id") if name in given]
        return [FieldError(name, f"cannot be given together with {what[0]}") for name in what[1:]] or (
            [] if what else [cls._missing("url")]
        )


class StopBody(_Body):
    """The body of `POST /stop`; no body at all is the same as an empty one."""

    EXAMPLE = '{"all": true}'

    session_id: Annotated[str | None, BeforeValidator(as_text)] = None
    """Which one to end; None: what is on."""
    all: Annotated[bool, BeforeValidator(as_switch)] = False
    """Also everything that waits."""


class NoBody(_Body):
    """The body of `POST /pause` and `POST /resume`: none, or an empty object."""

    EXAMPLE = "{}"


class SeekBody(_Body):
    """The body of `POST /seek`."""

    EXAMPLE = '{"position": 90}'

    position: Annotated[float, BeforeValidator(as_position), Field(ge=0, le=TEN_YEARS_S)]
    """Seconds into the media."""


class VolumeBody(_Body):
    """The body of `POST /volume`: at least one of its fields."""

    EXAMPLE = '{"volume_level": 0.5}'

    volume_level: Annotated[float | None, BeforeValidator(as_volume), Field(ge=0, le=1)] = None
    """None: as it was."""
    muted: Annotated[bool | None, BeforeValidator(as_switch)] = None
    """None: as it was."""

    @classmethod
    def _wrong_together(cls, given: Collection[str]) -> list[FieldError]:
        return [] if given else [FieldError("volume_level", f"or muted is required, for example {cls.EXAMPLE}")]


def _left_out(value: object) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def _invalid(errors: list[FieldError]) -> InvalidRequestError:
    shown = tuple(errors[:_ERRORS_SHOWN])
    sentence = "; ".join(f"{error.field} {error.message}" for error in shown[:3])
    more = "; and more, see errors" if len(errors) > 3 else ""
    text = sentence + more
    return InvalidRequestError(text if text.endswith("?") else f"{text}.", shown)
