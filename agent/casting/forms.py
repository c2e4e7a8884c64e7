"""The requests of people and programs as plain values: read field by field, and refused with the field's name."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping
from dataclasses import fields
from itertools import islice
from typing import Annotated, Any, ClassVar, Final, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, ValidationInfo, field_validator

from agent.casting.fields import (
    CODE,
    DAY_S,
    PRESET_ID,
    REFRESH_LEAST_S,
    STREAM_ID,
    TEN_YEARS_S,
    TITLE_LIMIT,
    as_code,
    as_duration,
    as_position,
    as_preset_id,
    as_quality,
    as_refresh,
    as_shown_as,
    as_stream_id,
    as_string,
    as_switch,
    as_title,
    as_video_id,
    as_volume,
    is_left_out,
    wrong,
)
from agent.casting.page_fields import (
    CSS_LIMIT,
    LANGUAGE,
    SCROLL_LIMIT,
    TIME_ZONE,
    TURN_LEAST_S,
    TURN_URL_LIMIT,
    TURNS_LIMIT,
    USER_AGENT_LIMIT,
    ZOOM_LEAST,
    ZOOM_LIMIT,
    as_css,
    as_language,
    as_list,
    as_page,
    as_scroll,
    as_time_zone,
    as_turn,
    as_turn_url,
    as_user_agent,
    as_zoom,
)
from agent.casting.wish import WHAT, Wish, names_something, wrong_together
from agent.errors import FieldError, InvalidRequestError
from agent.page_options import PageOptions, PageTurn
from agent.types import Quality, ShownAs

_ERRORS_SHOWN: Final = 20
_NAME_SHOWN: Final = 64


class Form(BaseModel):
    """Fields with a name and a range each."""

    model_config = ConfigDict(frozen=True, extra="forbid", serialize_by_alias=True)

    EXAMPLE: ClassVar[str]
    """Good values, shown to a caller that sent others."""

    @classmethod
    def names(cls) -> list[str]:
        """The names of the fields, as callers know them."""
        return [field.alias or name for name, field in cls.model_fields.items()]

    @classmethod
    def parse(cls, body: Mapping[str, Any]) -> Self:
        """Validate a JSON object. Raises InvalidRequestError that names every wrong field; never repeats a value.

        A field that is null or an empty string counts as left out.
        """
        given = {name: value for name, value in body.items() if not is_left_out(value)}
        names = cls.names()
        known = {name: value for name, value in given.items() if name in names}
        # Also an empty field is refused when it is unknown: it is a mistake in either case.
        unknown = (name for name in body if name not in names)
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
        """The mistakes in the combination of the given fields."""
        return []

    @classmethod
    def _unknown(cls, name: str) -> FieldError:
        shown = name[:_NAME_SHOWN]
        names = cls.names()
        close = difflib.get_close_matches(shown.lower(), names, n=1)
        if close:
            hint = f"did you mean {close[0]}?"
        elif names:
            hint = f"the fields are {', '.join(names)}"
        else:
            hint = "this call takes none"
        return FieldError(shown, f"is not a known field; {hint}")

    @classmethod
    def _wrong_field(cls, location: tuple[int | str, ...], kind: str, message: str) -> FieldError:
        field = ".".join(map(str, location))
        if kind == "extra_forbidden":  # of a form in it: those of its own are sorted out before
            form = TurnForm if "then" in location else PageForm
            return FieldError(field, form._unknown(str(location[-1])).message)
        return cls._missing(field) if kind == "missing" else FieldError(field, message)

    @classmethod
    def _missing(cls, field: str) -> FieldError:
        return FieldError(field, f"is required, for example {cls.EXAMPLE}")


_TurnSeconds = Annotated[Annotated[float, Field(ge=TURN_LEAST_S, le=DAY_S)] | None, BeforeValidator(as_turn)]


class TurnForm(Form):
    """One of several pages that follow one another."""

    EXAMPLE = '{"url": "http://panel.lan/b", "seconds": 20}'

    url: Annotated[Annotated[str, Field(max_length=TURN_URL_LIMIT)], BeforeValidator(as_turn_url)]
    """Without a user name or a password."""
    seconds: _TurnSeconds = None
    """Seconds for which it is shown; None for those of the first page."""


class PageForm(Form):
    """The appearance of a web page."""

    EXAMPLE = '{"zoom": 1.5, "dark": true}'

    zoom: Annotated[Annotated[float, Field(ge=ZOOM_LEAST, le=ZOOM_LIMIT)] | None, BeforeValidator(as_zoom)] = None
    """The zoom of the page; 2 is twice as large."""
    scroll: Annotated[Annotated[int, Field(ge=0, le=SCROLL_LIMIT)] | None, BeforeValidator(as_scroll)] = None
    """Pixels of the page that are above the screen."""
    dark: Annotated[bool | None, BeforeValidator(as_switch)] = None
    """True if dark colours are preferred, for pages that have them."""
    css: Annotated[Annotated[str, Field(max_length=CSS_LIMIT)] | None, BeforeValidator(as_css)] = None
    """Rules that count beside those of the page."""
    language: Annotated[Annotated[str, Field(pattern=LANGUAGE)] | None, BeforeValidator(as_language)] = None
    """The language of the page, its dates and numbers, such as `de` or `pt-BR`."""
    time_zone: Annotated[Annotated[str, Field(pattern=TIME_ZONE)] | None, BeforeValidator(as_time_zone)] = None
    """The time zone of the page, such as `Europe/Berlin`."""
    user_agent: Annotated[Annotated[str, Field(max_length=USER_AGENT_LIMIT)] | None, BeforeValidator(as_user_agent)] = (
        None
    )
    """The name that the browser gives itself."""
    then: Annotated[Annotated[tuple[TurnForm, ...], Field(max_length=TURNS_LIMIT)] | None, BeforeValidator(as_list)] = (
        None
    )
    """Pages that follow one another, from the first on again after the last."""
    seconds: _TurnSeconds = None
    """Seconds for which the page is shown before the first of `then`; 30 if left out."""

    @field_validator("seconds")
    @classmethod
    def _of_several(cls, seconds: float | None, given: ValidationInfo) -> float | None:
        if not given.data.get("then", True):  # a mistake in it is told by itself
            raise wrong("is for several pages: add then, the pages that follow, or leave seconds out")
        return seconds

    def options(self) -> PageOptions:
        """The options in this form."""
        turns = tuple(PageTurn(turn.url, turn.seconds) for turn in self.then or ())
        return PageOptions(**self.model_dump(exclude={"then"}), then=turns)


class PlayForm(Form):
    """The fields that a start, a preset and a hook share."""

    EXAMPLE = '{"url": "http://example.org/film.mp4"}'

    url: Annotated[Annotated[str, Field(json_schema_extra={"format": "uri"})] | None, BeforeValidator(as_string)] = None
    """The address to play; the media policy decides whether it may be played."""
    code: Annotated[Annotated[str, Field(pattern=CODE)] | None, BeforeValidator(as_code)] = None
    """The join code of a stream of the central API, to be played instead."""
    stream_id: Annotated[Annotated[str, Field(pattern=STREAM_ID)] | None, BeforeValidator(as_stream_id)] = None
    """The id of such a stream."""
    video_id: Annotated[Annotated[str, Field(pattern=STREAM_ID)] | None, BeforeValidator(as_video_id)] = None
    """The id of a video in the library of the central API, to be played instead."""
    quality: Annotated[Quality | None, BeforeValidator(as_quality)] = None
    """None: as configured."""
    duration: Annotated[Annotated[float, Field(gt=0, le=TEN_YEARS_S)] | None, BeforeValidator(as_duration)] = None
    """Seconds from the first frame (in a change: from now) until it ends by itself; None: until it ends or is
    stopped (in a change: as it was)."""
    title: Annotated[Annotated[str, Field(max_length=TITLE_LIMIT)] | None, BeforeValidator(as_title)] = None
    volume: Annotated[Annotated[float, Field(ge=0, le=1)] | None, BeforeValidator(as_volume)] = None
    """None: the volume of the device (in a change: as it was)."""
    muted: Annotated[bool | None, BeforeValidator(as_switch)] = None
    """None: the mute of the device (in a change: as it was)."""
    position: Annotated[Annotated[float, Field(ge=0, le=TEN_YEARS_S)] | None, BeforeValidator(as_position)] = None
    """Seconds into the media at which to begin."""
    loop: Annotated[bool | None, BeforeValidator(as_switch)] = None
    refresh: Annotated[Annotated[float, Field(ge=REFRESH_LEAST_S, le=DAY_S)] | None, BeforeValidator(as_refresh)] = None
    """Seconds after which a still picture is fetched again, or a page is reloaded; None: it is shown as it is."""
    interrupt: Annotated[bool | None, BeforeValidator(as_switch)] = None
    shown_as: Annotated[ShownAs | None, BeforeValidator(as_shown_as)] = Field(default=None, alias="as")
    """`page` for a web page; None: a stream."""
    page: Annotated[PageForm | None, BeforeValidator(as_page)] = None
    """Options for showing a web page."""

    def wish(self) -> Wish:
        """The wish in this form."""
        given: dict[str, Any] = {field.name: getattr(self, field.name, None) for field in fields(Wish)}
        return Wish(**{**given, "page": self.page.options() if self.page else None})


class PresetFields(PlayForm):
    """The fields of a start, and those that only a preset has."""

    keep_ready: Annotated[bool | None, BeforeValidator(as_switch)] = None
    """True if the camera at `url` (rtsp or rtsps) is to stay connected, so that a start shows its picture at once."""


class PresetForm(PresetFields):
    """A preset: its id, and the fields of a start."""

    EXAMPLE = '{"id": "front-door", "title": "Front door", "url": "rtsp://camera.local/stream1"}'

    model_config = ConfigDict(json_schema_extra={"anyOf": [{"required": [name]} for name in WHAT]})

    id: Annotated[Annotated[str, Field(pattern=PRESET_ID)], BeforeValidator(as_preset_id)]

    def given(self) -> dict[str, Any]:
        """The given fields as plain JSON."""
        return self.model_dump(mode="json", exclude_none=True)

    @classmethod
    def _wrong_together(cls, given: Collection[str]) -> list[FieldError]:
        return wrong_together(given) or ([] if names_something(given) else [cls._missing("url")])


def _invalid(errors: list[FieldError]) -> InvalidRequestError:
    shown = tuple(errors[:_ERRORS_SHOWN])
    sentence = "; ".join(f"{error.field} {error.message}" for error in shown[:3])
    more = "; and more, see errors" if len(errors) > 3 else ""
    text = sentence + more
    return InvalidRequestError(text if text.endswith("?") else f"{text}.", shown)
