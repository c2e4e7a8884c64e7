"""The address of a video for a box: signed for that box alone, and of no other use."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from central.core.db.engine import Database
from central.core.errors import ForbiddenError, MissingError, WrongStateError
from central.core.pages import Clock, utc_now
from central.core.replies import FileReply, StreamReply
from central.core.secrets import same
from central.core.types import Caller, Role
from central.library import jobs_repository
from central.library.boxes import Boxes
from central.library.jobs import Jobs
from central.library.models import FileQuery
from central.library.playable import is_playable
from central.library.storage import Storage
from central.library.tables import Rendition, Video
from central.library.thumbnails import as_webvtt
from central.library.types import JobKind, JobState, VideoState
from central.library.videos import Videos, not_there

VALID_FOR: Final = timedelta(hours=24)
"""Longer than anybody pauses a film; a box asks anew for each start and after each failure."""

RENDITION_TYPE: Final = "video/mp4"


@dataclass(frozen=True, slots=True)
class Source:
    """A video that is ready, and where the box that asked gets it."""

    video: Video
    type: str
    size: int
    sha256: str
    path: str | None
    """With its query, on this service."""
    url: str | None
    """Instead of the path: an absolute address, on the server that has the bytes."""
    expires_at: datetime


class Sources:
    """Signs with what every instance knows and a revocation takes away, so nothing is kept for it."""

    def __init__(
        self,
        database: Database,
        videos: Videos,
        storage: Storage,
        boxes: Boxes,
        jobs: Jobs,
        *,
        now: Clock = utc_now,
    ) -> None:
        self._database = database
        self._videos = videos
        self._storage = storage
        self._boxes = boxes
        self._jobs = jobs
        self._now = now

    async def find(self, caller: Caller, video_id: str, kind: JobKind | None = None) -> Source:
        """The original if the box decodes it, else a rendition, which is begun if need be; or that of a kind.

        Raises ForbiddenError unless a box asks, VideoNotFoundError, WrongStateError unless the video is ready and has
        such a rendition.
        """
        box = await self._boxes.find(caller.id) if caller.role is Role.DEVICE else None
        if box is None:
            raise ForbiddenError("An address is signed for the box that asks: send a device token.")
        video = await self._ready(video_id)
        expires_at = (self._now() + VALID_FOR).replace(microsecond=0)
        plays = is_playable(video.type, video.video_codec, video.audio_codec, box.decodes)
        rendition = None if plays and kind is None else await self._rendition(video, kind)
        rendition_id = None if rendition is None else rendition.id
        found, media_type = (video, video.type) if rendition is None else (rendition, RENDITION_TYPE)
        assert found.sha256 is not None, "what was checked has one"
        path, url = None, await self._storage.address(video_id, rendition_id, media_type, VALID_FOR)
        if url is None:
            expires = int(expires_at.timestamp())
            token = _token(box.secret, video_id, rendition_id, expires)
            which = f"&rendition={rendition_id}" if rendition_id else ""
            path = f"/api/v1/videos/{video_id}/file?box={caller.id}&expires={expires}{which}&token={token}"
        return Source(video, media_type, found.size, found.sha256, path, url, expires_at)

    async def file(self, video_id: str, query: FileQuery) -> FileReply | StreamReply:
        """The bytes, for anyone who shows such an address.

        Raises MissingError when it has run out or is none of ours, VideoNotFoundError, WrongStateError. A box that is
        told that something is not there any more asks anew; one that is refused gives up.
        """
        box = await self._boxes.find(query.box)
        if box is None or not same(query.token, _token(box.secret, video_id, query.rendition, query.expires)):
            raise MissingError("This address is not valid, or its box is revoked. Boxes get theirs from .../source.")
        if query.expires <= self._now().timestamp():
            raise MissingError("This address has run out. The box gets another one from .../source.")
        video = await self._ready(video_id)
        media_type = RENDITION_TYPE if query.rendition else video.type
        return await self._storage.reply(video_id, query.rendition, media_type)

    async def picture(self, video: Video, kind: JobKind) -> FileReply | StreamReply:
        """The poster or the thumbnails. Raises MissingError when there are none."""
        reply = await self._storage.reply(video.id, (await self._picture(video, kind)).id, "image/jpeg")
        return replace(reply, headers={"Cache-Control": "private, no-cache"})

    async def thumbnail_times(self, video: Video) -> str:
        """The times and places of the thumbnails, as WebVTT. Raises MissingError when there are none."""
        sheet = await self._picture(video, JobKind.THUMBNAILS)
        assert video.duration is not None, "without a length there are no thumbnails"
        return as_webvtt(video.duration, sheet.width, sheet.height)

    async def _picture(self, video: Video, kind: JobKind) -> Rendition:
        async with self._database.read() as session:
            found = await jobs_repository.rendition(session, video.id, kind)
        if found is None:
            raise MissingError(f"This video has no {kind}, or not yet: GET /api/v1/jobs says what is being made.")
        return found

    async def _rendition(self, video: Video, kind: JobKind | None) -> Rendition:
        """The rendition of the kind, or the one that stands for the original. Raises WrongStateError."""
        async with self._database.read() as session:
            found = await jobs_repository.rendition(session, video.id, kind or JobKind.FULL_HD)
        if found is not None:
            return found
        if kind is not None:
            raise WrongStateError(f"The video has no {kind} rendition. POST /api/v1/videos/{{id}}/jobs has one made.")
        job = await self._jobs.awaited(video.id)
        if job.state in (JobState.FAILED, JobState.CANCELLED):
            raise WrongStateError(f"This box cannot decode the video, and it was not converted. {job.problem}")
        raise WrongStateError("This box cannot decode the video, which is being converted. Start it again later.")

    async def _ready(self, video_id: str) -> Video:
        video = await self._videos.find(video_id)
        if video is None:
            raise not_there()
        if video.state != VideoState.READY:
            raise WrongStateError(f"The video cannot be played: it is {video.state}. {video.problem or ''}".strip())
        return video


def _token(secret: str, video_id: str, rendition_id: str | None, expires: int) -> str:
    signed = f"video {video_id} {expires}" + (f" {rendition_id}" if rendition_id is not None else "")
    return hmac.new(secret.encode(), signed.encode(), hashlib.sha256).hexdigest()
