"""Models of live streams."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field, StrictBool

from central.core.fields import Name
from central.core.models import Answer, Body, PageQuery, Patch
from central.live.types import LiveState
from central.media.fields import Expiry
from central.streams.models import Urls


class LiveBody(Body):
    """A live stream: a stream key with a path of its own."""

    title: Name
    record: StrictBool = Field(default=False, description="What is published becomes videos of the library.")
    expires_at: Expiry | None = Field(default=None, description="From then on no publisher is let in.")


class LivePatch(Patch):
    title: Name = Field(default="")
    record: StrictBool = False


class LiveQuery(PageQuery):
    state: LiveState | None = None


class Publish(Answer):
    """The addresses for publishers, with the stream key; null where mediamtx.public_url is not set."""

    rtmp: str | None = None
    rtsp: str | None = None
    srt: str | None = None
    whip: str | None = Field(default=None, description="Send `Authorization: Bearer` and the key with it.")


class Live(Answer):
    id: str = Field(description="Also that of its stream key.")
    title: str
    state: LiveState
    record: bool
    path: str
    urls: Urls = Field(description="Where it can be viewed while it is live.")
    stream_id: str | None = Field(description="Of the stream that is on.")
    code: str | None = Field(description="The join code of that stream.")
    started_at: datetime | None = Field(description="When that stream began.")
    interrupted_at: datetime | None = Field(description="Since when its publisher is away.")
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


class NewLive(Live):
    key_value: str = Field(description="The stream key, told this once.")
    publish: Publish


class Lives(Answer):
    items: list[Live]
    next_cursor: str | None
