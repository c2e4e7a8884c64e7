"""The requests of callers: the bodies of the calls, and the query parameter `wait`."""

from __future__ import annotations

from collections.abc import Collection
from typing import Annotated, Any, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from agent.casting.fields import (
    PRESET_ID,
    SESSION_ID_LIMIT,
    TEN_YEARS_S,
    TITLE_LIMIT,
    as_duration,
    as_position,
    as_preset_id,
    as_session_id,
    as_switch,
    as_text,
    as_title,
    as_volume,
    parse_number,
)
from agent.casting.forms import Form, PlayForm, PresetFields, PresetForm
from agent.casting.wish import STORED, WHAT, Wish, names_something, wrong_together
from agent.errors import FieldError, InvalidRequestError

WAIT_LIMIT_S: Final = 60.0

KEY_LIMIT: Final = 256
"""Characters; a key has 47."""


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


_Recent = Annotated[Annotated[str, Field(max_length=SESSION_ID_LIMIT)] | None, BeforeValidator(as_text)]
_SessionId = Annotated[Annotated[str, Field(max_length=SESSION_ID_LIMIT)] | None, BeforeValidator(as_session_id)]


class StartQuery(BaseModel):
    """The query parameters of `POST /start`."""

    wait: Annotated[float, Field(gt=0, le=WAIT_LIMIT_S)] | None = None
    """Seconds to wait for the first frame."""


class StartBody(PlayForm):
    """The body of `POST /start`: with one of `url`, `code`, `stream_id`, `video_id`, `preset` and `recent` a new
    session, with `session_id` a change of that one."""

    model_config = ConfigDict(
        json_schema_extra={"anyOf": [{"required": [name]} for name in (*WHAT, *STORED, "session_id")]}
    )

    preset: Annotated[Annotated[str, Field(pattern=PRESET_ID)] | None, BeforeValidator(as_preset_id)] = None
    """The id of a preset; further fields take the place of its own."""
    recent: _Recent = None
    """The id of something that was played before, as `GET /recent` has it."""
    session_id: _SessionId = None
    """The session to change; None: a new one."""

    @classmethod
    def _wrong_together(cls, given: Collection[str]) -> list[FieldError]:
        return wrong_together(given) or ([] if names_something(given) else [cls._missing("url")])


class HookQuery(Form):
    """The query of `/hook/{secret}`, as far as it is one of a start."""

    EXAMPLE = "?duration=30&title=Front+door"

    duration: Annotated[Annotated[float, Field(gt=0, le=TEN_YEARS_S)] | None, BeforeValidator(as_duration)] = None
    """Seconds, instead of those of the preset."""
    title: Annotated[Annotated[str, Field(max_length=TITLE_LIMIT)] | None, BeforeValidator(as_title)] = None

    def wish(self) -> Wish:
        """The wish in this body."""
        return Wish(duration=self.duration, title=self.title)


_SAVED_FROM: Final = (*WHAT, "recent", "session_id")


class NewPreset(PresetFields):
    """The body of `POST /presets`: the fields of the preset, with one of `url`, `code`, `stream_id`, `video_id`,
    `recent` and `session_id`."""

    EXAMPLE = PresetForm.EXAMPLE

    model_config = ConfigDict(json_schema_extra={"anyOf": [{"required": [name]} for name in _SAVED_FROM]})

    id: Annotated[Annotated[str, Field(pattern=PRESET_ID)] | None, BeforeValidator(as_preset_id)] = None
    """None: one that is made of the title."""
    recent: _Recent = None
    """The id of something that was played before, as `GET /recent` has it: its address is taken, with credentials."""
    session_id: _SessionId = None
    """A session that is on or waits: its address is taken, with credentials."""

    def preset(self) -> dict[str, Any]:
        """The fields of the preset itself."""
        return self.model_dump(mode="json", exclude_none=True, exclude={"recent", "session_id"})

    @classmethod
    def _wrong_together(cls, given: Collection[str]) -> list[FieldError]:
        names = [name for name in _SAVED_FROM if name in given]
        wrong = [FieldError(name, f"cannot be given together with {names[0]}") for name in names[1:]]
        return wrong or ([] if names else [cls._missing("url")])


class PresetPatch(PresetFields):
    """The body of `PATCH /presets/{id}`: the fields to change."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1})

    id: str | None = None
    """May be sent along, and cannot be changed."""


class StopBody(Form):
    """The body of `POST /stop`; a missing body counts as an empty one."""

    EXAMPLE = '{"all": true}'

    session_id: Annotated[str | None, BeforeValidator(as_text)] = None
    """The session to end; None for the current one."""
    all: Annotated[bool, BeforeValidator(as_switch)] = False
    """True to end everything that waits, too."""


class NoBody(Form):
    """The body of `POST /pause`, `POST /resume` and `POST /reload`: none, or an empty object."""

    EXAMPLE = "{}"


class SeekBody(Form):
    """The body of `POST /seek`."""

    EXAMPLE = '{"position": 90}'

    position: Annotated[Annotated[float, Field(ge=0, le=TEN_YEARS_S)], BeforeValidator(as_position)]
    """Seconds into the media."""


class VolumeBody(Form):
    """The body of `POST /volume`: at least one of its fields."""

    EXAMPLE = '{"volume_level": 0.5}'

    volume_level: Annotated[Annotated[float, Field(ge=0, le=1)] | None, BeforeValidator(as_volume)] = None
    """None: as it was."""
    muted: Annotated[bool | None, BeforeValidator(as_switch)] = None
    """None: as it was."""

    @classmethod
    def _wrong_together(cls, given: Collection[str]) -> list[FieldError]:
        return [] if given else [FieldError("volume_level", f"or muted is required, for example {cls.EXAMPLE}")]


class ScreenBody(Form):
    """The body of `POST /screen`."""

    EXAMPLE = '{"on": false}'

    on: Annotated[bool, BeforeValidator(as_switch)]


class PairBody(Form):
    """The body of `POST /pair`."""

    EXAMPLE = '{"token": "cap_..."}'

    token: Annotated[Annotated[str, Field(max_length=KEY_LIMIT)], BeforeValidator(as_text)]
    """The token of a pairing link: the part after its #."""


class SignInBody(Form):
    """The body of `POST /session`."""

    EXAMPLE = '{"key": "cak_..."}'

    key: Annotated[Annotated[str, Field(max_length=KEY_LIMIT)], BeforeValidator(as_text)]
    """A key that is known."""
