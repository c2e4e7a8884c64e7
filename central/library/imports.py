"""Takes files of this machine into the library."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import BinaryIO

from central.core.db.engine import Database
from central.core.threads import in_thread
from central.core.types import Caller
from central.core.uploads import Upload
from central.library.folder import PIECE
from central.library.models import VideoBody
from central.library.tables import DeletedVideo, Video
from central.library.types import VideoState
from central.library.uploads import Uploads
from central.library.videos import Videos


class Imports:
    """An import is an upload whose caller chooses the id: whatever ended an earlier one, the next goes on with it."""

    def __init__(self, database: Database, videos: Videos, uploads: Uploads) -> None:
        self._database = database
        self._videos = videos
        self._uploads = uploads

    async def take(self, caller: Caller, video_id: str, body: VideoBody, file: BinaryIO) -> None:
        """When this returns, the bytes of the file are in the library for good, or were there and have been deleted.
        Nobody else may be taking the same video: lock the file.

        Raises what `Videos.reserve`, `Uploads.receive` and `Uploads.complete` raise, and OSError.
        """
        async with self._database.read() as session:
            video = await session.get(Video, video_id)
            if video is None and await session.get(DeletedVideo, video_id) is not None:
                return
        if video is None:
            video = await self._videos.reserve(caller, body, video_id=video_id)
        if video.state != VideoState.UPLOADING:
            return
        offset = (await self._videos.received([video]))[video_id]
        await in_thread(file.seek, offset)
        await self._uploads.receive(caller, video_id, Upload(None, _pieces(file)), offset=offset)
        await self._uploads.complete(caller, video_id)


async def _pieces(file: BinaryIO) -> AsyncIterator[bytes]:
    while piece := await in_thread(file.read, PIECE):
        yield piece
