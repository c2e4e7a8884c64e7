"""Models of broadcasters, their stream keys, and the calls of MediaMTX."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from central.core.fields import Id, Metadata, Name
from central.core.models import DEPRECATED, Answer, Body, PageQuery, Patch
from central.media.fields import Expiry, MediaPath
from central.media.types import KeyStatus


class StreamKeysQuery(PageQuery):
    broadcaster_id: Id | None = None


class BroadcasterBody(Body):
    """A publisher."""

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
    key: str = Field(description="The same; use `key_value`.", json_schema_extra=DEPRECATED)


class StreamKeys(Answer):
    items: list[StreamKey]
    next_cursor: str | None


class AuthBody(BaseModel):
    """The question of MediaMTX about a connection. Fields that a newer version adds are ignored."""

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
    """The body of a call by MediaMTX's hooks."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    path: Annotated[str, Field(min_length=1, max_length=1000)]
    source_type: Annotated[str, Field(max_length=32)] = ""
    source_id: Annotated[str, Field(max_length=64)] = ""
    query: Annotated[str, Field(max_length=8192)] = ""


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
