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
from central.library.folder import Folder
from central.library.tables import Video
from central.library.types import VideoState
from central.library.videos import not_there

VALID_FOR: Final = timedelta(hours=24)
"""Longer than anybody pauses a film; a box asks anew for each start and after each failure."""

BoxSecret = Callable[[str], Awaitable[str | None]]
"""What is signed with for the box of this id, which nobody outside knows; None once the box is revoked."""


@dataclass(frozen=True, slots=True)
class Source:
    """A video that is ready, and where the box that asked gets it."""

    video: Video
    path: str
    """With its query, on this service."""
    expires_at: datetime


class Sources:
    """Signs with what every instance knows and a revocation takes away, so nothing is kept for it."""

    def __init__(self, database: Database, folder: Folder, box_secret: BoxSecret, *, now: Clock = utc_now) -> None:
        self._database = database
        self._folder = folder
        self._box_secret = box_secret
        self._now = now

    async def find(self, caller: Caller, video_id: str) -> Source:
        """Raises ForbiddenError unless a box asks, VideoNotFoundError, WrongStateError unless the video is ready."""
        secret = await self._box_secret(caller.id) if caller.role is Role.DEVICE else None
        if secret is None:
            raise ForbiddenError("An address is signed for the box that asks: send a device token.")
        video = await self._ready(video_id)
        expires_at = (self._now() + VALID_FOR).replace(microsecond=0)
        expires = int(expires_at.timestamp())
        token = _token(secret, video_id, expires)
        path = f"/api/v1/videos/{video_id}/file?box={caller.id}&expires={expires}&token={token}"
        return Source(video, path, expires_at)

    async def file(self, video_id: str, *, box: str, expires: int, token: str) -> tuple[Video, Path]:
        """The video, and where its bytes are, for whoever shows such an address.

        Raises MissingError when it has run out or is none of ours, VideoNotFoundError, WrongStateError. A box that is
        told that something is not there any more asks anew; one that is refused gives up.
        """
        secret = await self._box_secret(box)
        if secret is None or not same(token, _token(secret, video_id, expires)):
            raise MissingError("This address is not valid, or its box is revoked. Boxes get theirs from .../source.")
        if expires <= self._now().timestamp():
            raise MissingError("This address has run out. The box gets another one from .../source.")
        video = await self._ready(video_id)
        return video, self._folder.file(video_id)

    async def _ready(self, video_id: str) -> Video:
        async with self._database.read() as session:
            video = await session.get(Video, video_id)
        if video is None:
            raise not_there()
        if video.state != VideoState.READY:
            raise WrongStateError(f"The video cannot be played: it is {video.state}. {video.problem or ''}".strip())
        return video


def _token(secret: str, video_id: str, expires: int) -> str:
    return hmac.new(secret.encode(), f"video {video_id} {expires}".encode(), hashlib.sha256).hexdigest()
