"""Takes the bytes of videos, from where the last ones ended."""

from __future__ import annotations

import os
from collections.abc import Callable
from itertools import islice
from typing import BinaryIO, Final

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from central.core.db.engine import Database
from central.core.errors import (
    OverloadedError,
    StorageFullError,
    TooLargeError,
    UploadIncompleteError,
    WrongOffsetError,
    WrongStateError,
)
from central.core.pages import Clock, utc_now
from central.core.threads import in_thread
from central.core.types import Caller
from central.core.uploads import Upload
from central.library import repository
from central.library.folder import Folder
from central.library.parts import TOLD, Part, Plan, bounds, part_size
from central.library.tables import Video
from central.library.types import VideoState
from central.library.videos import Videos, not_there

log = structlog.stdlib.get_logger(__name__)

AT_ONCE: Final = 32
"""Uploads of one instance: each holds PIECE bytes, and one disk does not write more of them any sooner."""
PIECE: Final = 1024 * 1024
"""Bytes that are written together: a thread costs more than to write a few."""


class Uploads:
    """Writes what comes to the disk, and never holds more than a piece of it."""

    def __init__(
        self,
        database: Database,
        folder: Folder,
        videos: Videos,
        *,
        completed: Callable[[], None],
        now: Clock = utc_now,
    ) -> None:
        """`completed` is called when a video waits to be checked."""
        self._database = database
        self._folder = folder
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
            file = await self._taken(video_id)
            try:
                await self._write(video, file, upload, offset)
            finally:
                await in_thread(file.close)
        finally:
            self._count -= 1
        return video

    async def plan(self, caller: Caller, video_id: str) -> Plan:
        """The bytes that are still to be sent, and where to. Raises VideoNotFoundError, WrongStateError,
        LibraryUnavailableError."""
        video = await self._videos.get(caller, video_id)
        if video.state != VideoState.UPLOADING:
            raise _closed(video)
        received = (await in_thread(self._folder.received, (video_id,)))[video_id]
        missing = (
            Part(number, begin, offset + size - begin, f"/api/v1/videos/{video_id}/content?offset={begin}")
            for number, offset, size in bounds(video.size)
            if (begin := max(offset, received)) < offset + size
        )
        return Plan(part_size(video.size), 1, received, tuple(islice(missing, TOLD)))

    async def complete(self, caller: Caller, video_id: str) -> Video:
        """All bytes are there, and are checked from now on; once more changes nothing.

        Raises VideoNotFoundError, UploadInUseError, UploadIncompleteError.
        """
        video = await self._videos.get(caller, video_id)
        if video.state != VideoState.UPLOADING:
            return video
        file = await self._taken(video_id)
        try:
            await in_thread(os.fsync, file.fileno())
            length = (await in_thread(os.fstat, file.fileno())).st_size
            if length != video.size:
                raise UploadIncompleteError(
                    f"{length} of {video.size} bytes are there. Send the rest with ?offset={length}."
                )
            changed = await self._changed(video_id, state=VideoState.CHECKING)
        finally:
            await in_thread(file.close)
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

    async def _taken(self, video_id: str) -> BinaryIO:
        try:
            return await in_thread(self._folder.take, video_id)
        except FileNotFoundError as error:
            raise not_there() from error

    async def _write(self, video: Video, file: BinaryIO, upload: Upload, offset: int) -> None:
        length = await in_thread(file.seek, 0, os.SEEK_END)
        if offset != length:
            raise WrongOffsetError(f"{length} bytes are there. Send those behind them, with ?offset={length}.")
        room = video.size - length
        if upload.length is not None and upload.length > room:
            raise _too_much(video)
        piece = bytearray()
        try:
            async for chunk in upload.chunks:
                if len(piece) + len(chunk) > room:
                    raise _too_much(video)
                piece += chunk
                if len(piece) >= PIECE:
                    written, piece = piece, bytearray()
                    room -= len(written)
                    await _add(file, written)
        finally:
            if piece:
                await _add(file, piece)


async def _add(file: BinaryIO, piece: bytearray) -> None:
    """Raises StorageFullError."""

    def write() -> None:
        rest = memoryview(piece)
        while rest:
            rest = rest[file.write(rest) :]

    try:
        await in_thread(write)
    except OSError as error:
        raise StorageFullError(
            f"The disk of the library takes no more ({error.strerror}). Free space on it, and go on from `received`."
        ) from error


def _closed(video: Video) -> WrongStateError:
    return WrongStateError(f"The video is {video.state}: nothing can be added to it. Reserve another one.")


def _too_much(video: Video) -> TooLargeError:
    return TooLargeError(f"The video was reserved with {video.size} bytes, and more than those were sent.")
