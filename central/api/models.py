"""What callers send and get: bodies, query parameters and answers. The OpenAPI document is made of these."""

from __future__ import annotations

import json
import re
import unicodedata
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, JsonValue, model_validator

from agent.reporting import wire
from central.ids import ID_PATTERN
from central.services.pages import PAGE_DEFAULT, PAGE_LIMIT
from central.types import KeyStatus, StreamEnd, StreamSource, StreamStatus

METADATA_LIMIT: Final = 8 * 1024
"""Bytes of metadata, as JSON."""

_URL_SCHEMES: Final = ("http", "https", "rtsp", "rtsps", "rtmp", "rtmps", "udp", "rtp", "srt", "mms", "mmsh", "file")

_PATH_PATTERN: Final = r"^[0-9a-zA-Z_\-/.~:]+$"
"""Of paths, as MediaMTX has it."""


def _one_line(text: str) -> str:
    text = text.strip()
    if not text:
        raise ValueError("must not be empty")
    if any(unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") for character in text):
        raise ValueError("must not contain control characters or line breaks")
    return text


def _media_url(url: str) -> str:
    try:
        parts = urlsplit(url)
        with_credentials = parts.username is not None or parts.password is not None
    except ValueError as error:
        raise ValueError("must be an address such as http://nas.local/film.mp4") from error
    is_whole = parts.netloc or (parts.scheme == "file" and parts.path)
    if parts.scheme not in _URL_SCHEMES or not is_whole or not url.isprintable() or " " in url:
        raise ValueError(
            "must be an address such as http://nas.local/film.mp4; it may begin with " + ", ".join(_URL_SCHEMES)
        )
    if with_credentials:
        raise ValueError("must not hold a user name or a password: whoever knows the join code would see them")
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
Name = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_one_line)]
Title = Name
Url = Annotated[str, Field(min_length=1, max_length=4096), AfterValidator(_media_url)]
Quality = Literal["auto", "1080p", "720p", "low-latency"]
Metadata = Annotated[dict[str, JsonValue], AfterValidator(_small)]
MediaPath = Annotated[
    str, Field(min_length=1, max_length=200, json_schema_extra={"pattern": _PATH_PATTERN}), AfterValidator(_path)
]
Cursor = Annotated[str, Field(min_length=1, max_length=200, description="The next_cursor of the page before.")]
Limit = Annotated[int, Field(ge=1, le=PAGE_LIMIT, description="The most items of the page.")]


class Body(BaseModel):
    """What is sent: unknown fields are refused, because they are mistakes."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Patch(Body):
    """A change: only the fields that are there are changed, and at least one has to be."""

    @model_validator(mode="after")
    def _not_empty(self) -> Patch:
        if not self.model_fields_set:
            raise ValueError(f"Send at least one of these: {', '.join(type(self).model_fields)}")
        return self

    def given(self) -> dict[str, Any]:
        """Columns and values."""
        return {"meta" if name == "metadata" else name: getattr(self, name) for name in self.model_fields_set}


class PageQuery(Body):
    """Where the page begins, and how long it is."""

    cursor: Cursor | None = None
    limit: Limit = PAGE_DEFAULT


class DevicesQuery(PageQuery):
    online: bool | None = None


class EventsQuery(PageQuery):
    kind: Annotated[str, Field(max_length=64)] | None = None
    session_id: Annotated[str, Field(max_length=64)] | None = None


class StreamsQuery(PageQuery):
    source: StreamSource | None = None
    device_id: Id | None = None


class AllStreamsQuery(StreamsQuery):
    status: StreamStatus | None = None


class StreamKeysQuery(PageQuery):
    broadcaster_id: Id | None = None


class NoQuery(Body):
    """None."""


class DeviceBody(wire.Enrolment):
    """A box that wants to come in."""

    name: Name
    metadata: Metadata = Field(default_factory=dict)


class DevicePatch(Patch):
    name: Name = Field(default="")
    metadata: Metadata = Field(default_factory=dict)


class StreamBody(Body):
    """A stream of a box."""

    device_id: Id
    url: Url
    title: Title | None = None
    quality: Quality | None = None
    metadata: Metadata = Field(default_factory=dict)


class StreamPatch(Patch):
    title: Title | None = None
    url: Url = Field(default="")
    quality: Quality | None = None
    metadata: Metadata = Field(default_factory=dict)


class BroadcasterBody(Body):
    """Somebody who publishes."""

    name: Name
    metadata: Metadata = Field(default_factory=dict)


class BroadcasterPatch(Patch):
    name: Name = Field(default="")
    metadata: Metadata = Field(default_factory=dict)


class StreamKeyBody(Body):
    """A key for a broadcaster."""

    broadcaster_id: Id
    name: Name | None = None
    path: MediaPath | None = Field(default=None, description="The only path it opens; null: any that is free.")
    expires_at: Annotated[AwareDatetime, AfterValidator(_in_utc)] | None = None


class AuthBody(BaseModel):
    """What MediaMTX asks; fields that a newer one adds are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    user: Annotated[str, Field(max_length=4096)] = ""
    password: Annotated[str, Field(max_length=4096)] = ""
    token: Annotated[str, Field(max_length=4096)] = ""
    ip: Annotated[str, Field(max_length=100)] = ""
    action: Literal["publish", "read", "playback", "api", "metrics", "pprof"]
    path: Annotated[str, Field(max_length=1000)] = ""
    protocol: Annotated[str, Field(max_length=32)] = ""
    id: Annotated[str, Field(max_length=64)] | None = None
    query: Annotated[str, Field(max_length=8192)] = ""


class WebhookBody(BaseModel):
    """What MediaMTX's hooks tell."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    path: Annotated[str, Field(min_length=1, max_length=1000)]
    source_type: Annotated[str, Field(max_length=32)] = ""
    source_id: Annotated[str, Field(max_length=64)] = ""
    query: Annotated[str, Field(max_length=8192)] = ""


class Answer(BaseModel):
    """What is answered."""

    model_config = ConfigDict(frozen=True)


class OnScreen(Answer):
    """What a box shows, in short."""

    session_id: str
    title: str | None
    url: str
    state: str


class Device(Answer):
    id: str
    name: str
    online: bool
    last_seen: datetime | None
    created_at: datetime
    agent_version: str | None
    status: Literal["idle", "casting"] | None = Field(description="As the box said last; null: it has not yet.")
    on: OnScreen | None
    stream_id: str | None
    code: str | None = Field(description="The join code of its stream that is on.")
    metadata: dict[str, JsonValue]


class DeviceDetail(Device):
    state: dict[str, JsonValue] | None = Field(description="The last state that the box has sent.")
    state_received_at: datetime | None


class Devices(Answer):
    items: list[Device]
    next_cursor: str | None


class Event(Answer):
    event_id: str
    kind: str
    session_id: str | None
    boot_id: str
    seq: int
    occurred_at: datetime
    received_at: datetime
    uptime: float
    clock_synced: bool
    agent_version: str
    data: dict[str, JsonValue]


class Events(Answer):
    items: list[Event]
    next_cursor: str | None


class Urls(Answer):
    """Where viewers find a published stream."""

    hls: str | None = None
    webrtc: str | None = Field(default=None, description="WHEP")
    rtsp: str | None = None


class Stream(Answer):
    id: str
    code: str
    source: StreamSource
    device_id: str | None
    stream_key_id: str | None
    path: str | None
    title: str | None
    url: str | None
    urls: Urls | None
    quality: str | None
    status: StreamStatus
    started_at: datetime
    ended_at: datetime | None
    end_reason: StreamEnd | None
    metadata: dict[str, JsonValue]


class Streams(Answer):
    items: list[Stream]
    next_cursor: str | None


class Broadcaster(Answer):
    id: str
    name: str
    created_at: datetime
    metadata: dict[str, JsonValue]


class Broadcasters(Answer):
    items: list[Broadcaster]
    next_cursor: str | None


class StreamKey(Answer):
    id: str
    broadcaster_id: str
    broadcaster_name: str
    name: str
    path: str | None
    status: KeyStatus
    in_use: bool
    stream_id: str | None
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used: datetime | None


class NewStreamKey(StreamKey):
    key: str = Field(description="Told this once.")


class StreamKeys(Answer):
    items: list[StreamKey]
    next_cursor: str | None


class Allowed(Answer):
    status: Literal["allowed"] = "allowed"


class Ready(Answer):
    stream_id: str
    code: str


class NotReady(Answer):
    ended: bool = Field(description="False: it had ended before, or the path is another's by now.")


class Check(Answer):
    status: Literal["available", "unavailable", "unconfigured", "unknown"]


class Health(Answer):
    status: Literal["healthy", "degraded"]
    version: str
    database: Check
    mediamtx: Check
