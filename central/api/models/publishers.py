"""Models of broadcasters and their stream keys."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field, JsonValue

from central.api.fields import Expiry, Id, MediaPath, Metadata, Name
from central.api.models.base import DEPRECATED, Answer, Body, PageQuery, Patch
from central.types import KeyStatus


class StreamKeysQuery(PageQuery):
    broadcaster_id: Id | None = None


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
