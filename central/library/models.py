"""Models of videos and jobs."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field

from central.core.fields import Id, Name, one_line
from central.core.models import Answer, Body, PageQuery, Patch
from central.core.secrets import DIGEST_PATTERN
from central.library.types import JobKind, JobState, MediaType, VideoState

TAGS_LIMIT: Final = 20


def _tag(text: str) -> str:
    return one_line(text).casefold()


Tag = Annotated[str, Field(min_length=1, max_length=50), AfterValidator(_tag)]
"""In lower case."""
Tags = Annotated[tuple[Tag, ...], Field(max_length=TAGS_LIMIT)]
Description = Annotated[str, Field(max_length=2000)]


class VideoBody(Body):
    """A video that is to be uploaded."""

    title: Name
    type: MediaType
    size: Annotated[int, Field(ge=1, le=10**12)]
    """Bytes. As many are reserved, and no more are taken."""
    sha256: Annotated[str, Field(pattern=DIGEST_PATTERN)] | None = None
    """The upload fails when its bytes have another."""
    description: Description = ""
    tags: Tags = ()


class VideoPatch(Patch):
    title: Name = Field(default="")
    description: Description = Field(default="")
    tags: Tags = Field(default=())


class VideosQuery(PageQuery):
    state: VideoState | None = None
    tag: Tag | None = None
    q: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    """Looked for in titles, descriptions and tags, whatever the case."""


class ContentQuery(Body):
    offset: Annotated[int, Field(ge=0, le=10**12)] = 0
    """The position in the video at which the body begins: the number of bytes `received`."""


class UploadPart(Answer):
    """Bytes of a video that are to be sent with `PUT`."""

    number: int
    """From 1 on."""
    offset: int
    """The position of its first byte in the video."""
    size: int
    """Bytes."""
    url: str
    """A path on this service, which wants the key; or an absolute address, which is signed and gets no key."""


class UploadPlan(Answer):
    """The next parts of an upload, at most 100. Without any, all bytes are there: `complete` it."""

    part_size: int
    """Bytes of every part but the last one."""
    at_once: int
    """Parts that may be sent at the same time; with 1 they are sent in their order."""
    received: int
    """Bytes that are there."""
    parts: list[UploadPart]
    expires_at: datetime | None
    """The end of signed addresses: ask again before it. Null for paths on this service."""


class SourceQuery(Body):
    rendition: Literal[JobKind.FULL_HD, JobKind.HD, JobKind.SD] | None = None
    """Instead of what boxes usually get."""


class FileQuery(Body):
    """The signature of an address, as `source` answers it."""

    box: Id
    rendition: Id | None = None
    """Instead of the original."""
    expires: Annotated[int, Field(ge=0, le=10**11)]
    """Seconds since 1970."""
    token: Annotated[str, Field(pattern=DIGEST_PATTERN)]


class Source(Answer):
    """The address at which the box that asked gets the bytes of a video."""

    id: str
    path: str | None
    """With its query, on this service; null where another server has the bytes. It is this box's alone: whoever has it
    can get the video."""
    url: str | None
    """Instead of a path: the absolute address on that server."""
    expires_at: datetime
    title: str
    type: str
    size: int
    """Bytes."""
    sha256: str
    duration: float | None
    """Seconds; null for a picture."""


class Rendition(Answer):
    """A film that was made of the video, as MP4 with H.264 and AAC."""

    kind: JobKind
    width: int
    height: int
    size: int
    """Bytes."""
    sha256: str
    created_at: datetime


class Video(Answer):
    id: str
    title: str
    description: str
    tags: list[str]
    type: str
    size: int
    """Bytes."""
    received: int
    """Bytes that are there: where an upload goes on."""
    sha256: str | None
    state: VideoState
    problem: str | None
    """The reason why it failed, and what to do about it."""
    duration: float | None
    """Seconds; null for a picture, and until it has been checked."""
    width: int | None
    height: int | None
    video_codec: str | None
    audio_codec: str | None
    renditions: list[Rendition]
    poster: str | None
    """The path of its poster on this service, once there is one."""
    thumbnails: str | None
    """The path of its thumbnails on this service, once there are some; with `.vtt` behind it, that of their times."""
    made_by: str
    """The name of the key that reserved it."""
    created_at: datetime
    updated_at: datetime


class Videos(Answer):
    items: list[Video]
    next_cursor: str | None


class JobBody(Body):
    kind: JobKind


class JobsQuery(PageQuery):
    state: JobState | None = None
    video_id: Id | None = None


class Job(Answer):
    id: str
    video_id: str
    kind: JobKind
    state: JobState
    priority: int
    """The highest is first."""
    tries: int
    """The number of times that it was begun."""
    progress: float
    """From 0 to 1."""
    lease_until: datetime
    """Until when its worker has it; one that waits is not begun before."""
    worker: str | None
    problem: str | None
    created_at: datetime
    updated_at: datetime


class Jobs(Answer):
    items: list[Job]
    next_cursor: str | None
