"""Models of streams."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field, JsonValue

from central.core.fields import Id, Metadata
from central.core.models import DEPRECATED, Answer, Body, PageQuery, Patch
from central.streams.fields import Quality, Title, Url
from central.streams.types import StreamEnd, StreamSource, StreamStatus


class StreamsQuery(PageQuery):
    source: StreamSource | None = None
    device_id: Id | None = None


class AllStreamsQuery(StreamsQuery):
    status: StreamStatus | None = None


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


class Urls(Answer):
    """The addresses at which viewers find a published stream."""

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
    """The publisher of a stream."""

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
    items: list[Stream] = Field(description="The same as `streams`; use that.", json_schema_extra=DEPRECATED)
    next_cursor: str | None
