"""The address of a video for a box: signed for that box alone, and of no other use."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from central.core.db.engine import Database
from central.core.errors import ForbiddenError, MissingError, WrongStateError
from central.core.pages import Clock, utc_now
from central.core.secrets import same
from central.core.types import Caller, Role
from central.library import jobs_repository
from central.library.folder import Folder
from central.library.models import FileQuery
from central.library.renditions import Renditions
from central.library.tables import Rendition, Video
from central.library.types import JobKind, VideoState
from central.library.videos import not_there

VALID_FOR: Final = timedelta(hours=24)
"""Longer than anybody pauses a film; a box asks anew for each start and after each failure."""

RENDITION_TYPE: Final = "video/mp4"

BoxSecret = Callable[[str], Awaitable[str | None]]
"""The secret that signs for the box of this id, which nobody outside knows; None once the box is revoked."""


@dataclass(frozen=True, slots=True)
class Source:
    """A video that is ready, and where the box that asked gets it."""

    video: Video
    type: str
    size: int
    sha256: str
    path: str
    """With its query, on this service."""
    expires_at: datetime


class Sources:
    """Signs with what every instance knows and a revocation takes away, so nothing is kept for it."""

    def __init__(
        self,
        database: Database,
        folder: Folder,
        renditions: Renditions,
        box_secret: BoxSecret,
        *,
        now: Clock = utc_now,
    ) -> None:
        self._database = database
        self._folder = folder
        self._renditions = renditions
        self._box_secret = box_secret
        self._now = now

    async def find(self, caller: Caller, video_id: str, kind: JobKind | None = None) -> Source:
        """The original, or what boxes get instead of it; or the rendition of that kind.

        Raises ForbiddenError unless a box asks, VideoNotFoundError, WrongStateError unless the video is ready and has
        such a rendition.
        """
        secret = await self._box_secret(caller.id) if caller.role is Role.DEVICE else None
        if secret is None:
            raise ForbiddenError("An address is signed for the box that asks: send a device token.")
        video = await self._ready(video_id)
        expires_at = (self._now() + VALID_FOR).replace(microsecond=0)
        expires = int(expires_at.timestamp())
        path = f"/api/v1/videos/{video_id}/file?box={caller.id}&expires={expires}"
        rendition = await self._rendition(video, kind)
        if rendition is None:
            assert video.sha256 is not None, "what was checked has one"
            token = _token(secret, video_id, None, expires)
            return Source(video, video.type, video.size, video.sha256, f"{path}&token={token}", expires_at)
        path += f"&rendition={rendition.id}&token={_token(secret, video_id, rendition.id, expires)}"
        return Source(video, RENDITION_TYPE, rendition.size, rendition.sha256, path, expires_at)

    async def file(self, video_id: str, query: FileQuery) -> tuple[Path, str]:
        """The file with the bytes and its type, for anyone who shows such an address.

        Raises MissingError when it has run out or is none of ours, VideoNotFoundError, WrongStateError. A box that is
        told that something is not there any more asks anew; one that is refused gives up.
        """
        secret = await self._box_secret(query.box)
        if secret is None or not same(query.token, _token(secret, video_id, query.rendition, query.expires)):
            raise MissingError("This address is not valid, or its box is revoked. Boxes get theirs from .../source.")
        if query.expires <= self._now().timestamp():
            raise MissingError("This address has run out. The box gets another one from .../source.")
        video = await self._ready(video_id)
        if query.rendition is not None:
            return self._renditions.file(video_id, query.rendition), RENDITION_TYPE
        return self._folder.file(video_id), video.type

    async def poster(self, video: Video) -> Path:
        """The file of the poster. Raises MissingError when there is none."""
        async with self._database.read() as session:
            found = await jobs_repository.rendition(session, video.id, JobKind.POSTER)
        if found is None:
            raise MissingError("This video has no poster, or not yet: GET /api/v1/jobs says what is being made.")
        return self._renditions.file(video.id, found.id)

    async def _rendition(self, video: Video, kind: JobKind | None) -> Rendition | None:
        """The rendition of the kind, or the one that stands for the original, if there is one. Raises
        WrongStateError."""
        async with self._database.read() as session:
            if kind is None:
                return None if video.rendition_id is None else await session.get(Rendition, video.rendition_id)
            found = await jobs_repository.rendition(session, video.id, kind)
        if found is None:
            raise WrongStateError(f"The video has no {kind} rendition. POST /api/v1/videos/{{id}}/jobs has one made.")
        return found

    async def _ready(self, video_id: str) -> Video:
        async with self._database.read() as session:
            video = await session.get(Video, video_id)
        if video is None:
            raise not_there()
        if video.state != VideoState.READY:
            raise WrongStateError(f"The video cannot be played: it is {video.state}. {video.problem or ''}".strip())
        return video


def _token(secret: str, video_id: str, rendition_id: str | None, expires: int) -> str:
    signed = f"video {video_id} {expires}" + (f" {rendition_id}" if rendition_id is not None else "")
    return hmac.new(secret.encode(), signed.encode(), hashlib.sha256).hexdigest()
