"""The answers of the calls about presets and recent addresses."""

from __future__ import annotations

from typing import Self

from pydantic import ConfigDict, Field

from agent.casting.forms import PageForm
from agent.casting.presets import Preset, PresetList, Source
from agent.casting.recent import Played
from agent.frontends.http.answer import Answer, Seconds
from agent.media.redaction import redact
from agent.types import Quality, ShownAs


class PresetAnswer(Answer):
    """One preset, with the fields of a start that it has; what is None is left out."""

    model_config = ConfigDict(serialize_by_alias=True)

    id: str
    title: str
    source: Source
    etag: str
    """The value for `If-Match`; it changes with the preset."""
    problem: str | None = None
    """The reason why it cannot be played; it has no fields then."""
    url: str | None = None
    """Without credentials. Sent back as it is, it stays what it was."""
    code: str | None = None
    stream_id: str | None = None
    video_id: str | None = None
    quality: Quality | None = None
    duration: Seconds | None = None
    volume: Seconds | None = None
    muted: bool | None = None
    position: Seconds | None = None
    loop: bool | None = None
    refresh: Seconds | None = None
    interrupt: bool | None = None
    keep_ready: bool | None = None
    """True if its camera or live stream stays connected, so that a start shows the picture at once."""
    shown_as: ShownAs | None = Field(default=None, alias="as")
    page: PageForm | None = None

    @classmethod
    def of(cls, preset: Preset) -> Self:
        fields = {} if preset.form is None else preset.form.given()
        if "url" in fields:
            fields["url"] = redact(fields["url"])
        own = {"id": preset.id, "title": preset.title, "source": preset.source}
        return cls(**{**fields, **own, "etag": preset.etag, "problem": preset.problem})


class PresetsAnswer(Answer):
    """The answer of `GET /presets`."""

    presets: tuple[PresetAnswer, ...]
    problem: str | None = None
    """The reason why the saved presets are missing."""

    @classmethod
    def of(cls, found: PresetList) -> Self:
        return cls(presets=tuple(map(PresetAnswer.of, found.presets)), problem=found.problem)


class PlayedAnswer(Answer):
    """One address that was played; `POST /start {"recent": id}` plays it again."""

    model_config = ConfigDict(serialize_by_alias=True)

    id: str
    url: str
    """Without credentials."""
    title: str | None
    played_at: str
    shown_as: ShownAs | None = Field(default=None, alias="as")

    @classmethod
    def of(cls, played: Played) -> Self:
        return cls(
            id=played.id,
            url=redact(played.url),
            title=played.title,
            played_at=played.played_at,
            **{"as": played.shown_as},
        )


class RecentAnswer(Answer):
    """The answer of `GET /recent`."""

    recent: tuple[PlayedAnswer, ...]
