"""Takes the bytes of videos, from where the last ones ended."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from central.core.db.engine import Database
from central.core.errors import OverloadedError, WrongStateError
from central.core.pages import Clock, utc_now
from central.core.types import Caller
from central.core.uploads import Upload
from central.library import repository
from central.library.parts import Plan
from central.library.storage import Storage
from central.library.tables import Video
from central.library.types import VideoState
from central.library.videos import Videos, not_there

log = structlog.stdlib.get_logger(__name__)

AT_ONCE: Final = 32
"""Uploads of one instance: each holds a MiB, and one disk does not write more of them any sooner."""


class Uploads:
    """Hands what comes to the storage, as far as it comes through this service."""

    def __init__(
        self,
        database: Database,
        storage: Storage,
        videos: Videos,
        *,
        completed: Callable[[], None],
        now: Clock = utc_now,
    ) -> None:
        """`completed` is called when a video waits to be checked."""
        self._database = database
        self._storage = storage
        self._videos = videos
        self._completed = completed
        self._now = now
        self._count = 0

    async def receive(self, caller: Caller, video_id: str, upload: Upload, *, offset: int) -> Video:
        """Add what comes behind the bytes that are there, of which there are `offset`. What came before something went
        wrong stays.

        Raises VideoNotFoundError, WrongStateError, UploadInUseError, WrongOffsetError, TooLargeError, StorageFullError,
        OverloadedError, and what `upload` raises.
        """
        if self._count == AT_ONCE:
            raise OverloadedError(f"{AT_ONCE} uploads are under way here already. Try again later.")
        self._count += 1
        try:
            video = await self._begun(caller, video_id)
            await self._storage.receive(video_id, video.size, upload, offset=offset)
        except FileNotFoundError as error:
            raise not_there() from error
        finally:
            self._count -= 1
        return video

    async def plan(self, caller: Caller, video_id: str) -> Plan:
        """The bytes that are still to be sent, and where to. Raises VideoNotFoundError, WrongStateError,
        LibraryUnavailableError."""
        video = await self._videos.get(caller, video_id)
        if video.state != VideoState.UPLOADING:
            raise _closed(video)
        return await self._storage.plan(video_id, video.size)

    async def complete(self, caller: Caller, video_id: str) -> Video:
        """All bytes are there, and are checked from now on; once more changes nothing.

        Raises VideoNotFoundError, UploadInUseError, UploadIncompleteError.
        """
        video = await self._videos.get(caller, video_id)
        if video.state != VideoState.UPLOADING:
            return video
        try:
            async with self._storage.held(video_id):
                await self._storage.require_whole(video_id, video.size)
                changed = await self._changed(video_id, state=VideoState.CHECKING)
        except FileNotFoundError as error:
            raise not_there() from error
        if changed is None:  # another was quicker
            return await self._videos.get(caller, video_id)
        log.info("video_uploaded", video_id=video_id, size=video.size)
        self._completed()
        return changed

    async def _begun(self, caller: Caller, video_id: str) -> Video:
        """The video, which nobody takes for abandoned from now on."""
        await self._videos.get(caller, video_id)
        video = await self._changed(video_id)
        if video is None:
            video = await self._videos.get(caller, video_id)
            raise _closed(video)
        return video

    async def _changed(self, video_id: str, **values: object) -> Video | None:
        """None unless it is being uploaded."""

        async def work(session: AsyncSession) -> Video | None:
            changes = {"updated_at": self._now(), **values}
            return await repository.change(session, video_id, changes, state=VideoState.UPLOADING)

        return await self._database.write(work)


def _closed(video: Video) -> WrongStateError:
    return WrongStateError(f"The video is {video.state}: nothing can be added to it. Reserve another one.")
