"""What callers send and get: bodies, query parameters and answers. The OpenAPI document is made of these."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_validator
from pydantic.config import JsonDict

from cast_http.operations import NoQuery as NoQuery
from cast_wire import models as wire
from central.api.fields import Cursor, Expiry, Id, Limit, MediaPath, Metadata, Name, Quality, Title, Url
from central.services.pages import PAGE_DEFAULT
from central.types import KeyStatus, StreamEnd, StreamSource, StreamStatus


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
    expires_at: Expiry | None = None


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


_DEPRECATED: Final[JsonDict] = {"deprecated": True}
"""It goes with the release after the next."""


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
    updated_at: datetime = Field(description="When its name or metadata were changed last, or it was revoked.")
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
    urls: Urls | None = Field(
        description="Of what is published and on; null for a box's own stream, which has `url`, and where "
        "mediamtx.public_url is not set."
    )
    quality: str | None
    status: StreamStatus
    started_at: datetime
    updated_at: datetime = Field(description="When anything of it was changed last.")
    interrupted_at: datetime | None = Field(
        description="Since when its publisher is away; null while it is there. The stream stays active, with its code, "
        "and goes on when the same key publishes to the same path again."
    )
    grace_until: datetime | None = Field(
        description="When an interrupted stream ends, as of `interrupted_at`, unless its publisher is back."
    )
    ended_at: datetime | None
    end_reason: StreamEnd | None
    metadata: dict[str, JsonValue]


class PublisherName(Answer):
    """Who publishes."""

    id: str
    name: str


class StreamDetail(Stream):
    broadcaster: PublisherName | None = Field(description="Whose key it is published with; null for a box's stream.")
    source_type: str | None = Field(
        description="What publishes it, as MediaMTX names it, such as `rtspSession`; null for a box's stream."
    )
    duration: float = Field(description="Seconds from its start to its end, its interruption, or now.")


class Streams(Answer):
    items: list[Stream]
    next_cursor: str | None


class LiveStreams(Answer):
    streams: list[Stream]
    count: int = Field(description="How many this answer has.")
    items: list[Stream] = Field(description="The same as `streams`; use that.", json_schema_extra=_DEPRECATED)
    next_cursor: str | None


class Broadcaster(Answer):
    id: str
    name: str
    created_at: datetime
    updated_at: datetime
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
    updated_at: datetime = Field(description="When it was revoked, or else made.")
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used: datetime | None


class NewStreamKey(StreamKey):
    key_value: str = Field(description="Told this once.")
    key: str = Field(description="The same; use `key_value`.", json_schema_extra=_DEPRECATED)


class StreamKeys(Answer):
    items: list[StreamKey]
    next_cursor: str | None


class Allowed(Answer):
    status: Literal["allowed"] = "allowed"


class Ready(Answer):
    stream_id: str
    code: str


class NotReady(Answer):
    ended: bool = Field(
        description="Its stream has ended by this. False: it waits for its publisher (`grace_until`), or it had ended "
        "before, or the path is another's by now."
    )
    grace_until: datetime | None = Field(description="Until when the stream waits for its publisher, if it does.")


class Check(Answer):
    status: Literal["available", "unavailable", "unconfigured", "unknown"]
    detail: str | None = Field(default=None, description="What does not work, and what to do about it.")


class Health(Answer):
    status: Literal["healthy", "degraded"]
    version: str
    database: Check
    mediamtx: Check
