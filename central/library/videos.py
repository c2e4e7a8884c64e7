"""Reserves, lists, changes and deletes videos."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from central.core.batch import Batcher
from central.core.db.engine import Database
from central.core.errors import (
    InvalidRequestError,
    LibraryQuotaExceededError,
    LibraryUnavailableError,
    OverloadedError,
    VideoNotFoundError,
)
from central.core.ids import new_id
from central.core.pages import Clock, Page, id_behind, page_of, utc_now
from central.core.types import Caller, Role
from central.library import repository
from central.library.models import VideoBody, VideoPatch, VideosQuery
from central.library.settings import LibrarySettings
from central.library.storage import Storage
from central.library.tables import Video
from central.library.types import VideoState

log = structlog.stdlib.get_logger(__name__)

GIGABYTE: Final = 1_000_000_000
OPEN_LIMIT: Final = 1_000
"""Uploads that have begun, of all keys: each is looked at when room is counted. They end within a day."""


class Videos:
    """The videos in the library, and those on their way there."""

    def __init__(
        self,
        database: Database,
        storage: Storage,
        settings: LibrarySettings,
        *,
        problem: Callable[[], str | None],
        now: Clock = utc_now,
    ) -> None:
        """`problem` tells why videos cannot be checked here, if they cannot."""
        self._database = database
        self._storage = storage
        self._largest = int(settings.largest * GIGABYTE)
        self._quota = int(settings.quota * GIGABYTE)
        self._problem = problem
        self._now = now
        self._asked: Batcher[str, Video | None] = Batcher("videos", self._look_up)

    async def reserve(self, caller: Caller, body: VideoBody, *, video_id: str | None = None) -> Video:
        """A video without any bytes. With `video_id` it gets that id, which nobody else may be about to use.

        Raises InvalidRequestError when it is too large, LibraryQuotaExceededError, StorageFullError,
        LibraryUnavailableError or OverloadedError.
        """
        if (problem := self._problem()) is not None:
            raise LibraryUnavailableError(problem)
        if body.size > self._largest:
            raise InvalidRequestError.of("size", f"must be at most {self._largest} (library.largest)")
        async with self._database.read() as session:
            begun = await repository.uploads(session, limit=OPEN_LIMIT)
        if len(begun) == OPEN_LIMIT:
            raise OverloadedError(f"{OPEN_LIMIT} uploads have begun and not ended. Complete or delete some of them.")
        video = self._made(caller, body, video_id or new_id())
        await self._storage.reserve(video.id, video.size, begun=begun)
        try:
            await self._database.write(lambda session: self._add(session, video))
        except BaseException:
            await self._storage.delete(video.id)
            raise
        log.info("video_reserved", video_id=video.id, size=video.size, type=video.type)
        return video

    async def page(self, caller: Caller, query: VideosQuery) -> Page[Video]:
        """The newest first; those of the caller alone, unless it is an admin."""
        async with self._database.read() as session:
            found = await repository.page(
                session,
                state=query.state,
                tag=query.tag,
                words=query.q.casefold() if query.q is not None else None,
                key_id=None if caller.is_admin else caller.id,
                after=id_behind(query.cursor),
                limit=query.limit + 1,
            )
        return page_of(found, query.limit, lambda video: video.id)

    async def get(self, caller: Caller, video_id: str) -> Video:
        """Raises VideoNotFoundError, for an upload key also for a video of another key."""
        found = await self.find(video_id)
        if found is None or (caller.role is Role.UPLOADER and found.key_id != caller.id):
            raise not_there()
        return found

    async def find(self, video_id: str) -> Video | None:
        """The video with this id. Those that are asked for at the same time are looked up together."""
        return await self._asked.submit(video_id)

    async def received(self, videos: Iterable[Video]) -> dict[str, int]:
        """By id how many bytes of each there are."""
        known = {video.id: video.size if video.state in _WHOLE else 0 for video in videos}
        coming = {video.id: video.size for video in videos if video.state == VideoState.UPLOADING}
        return known | dict(await self._storage.received(coming) if coming else {})

    async def change(self, video_id: str, patch: VideoPatch) -> Video:
        """Raises VideoNotFoundError."""

        async def work(session: AsyncSession) -> Video:
            video = await session.get(Video, video_id, with_for_update=True)
            if video is None:
                raise not_there()
            for name, value in patch.given().items():
                setattr(video, name, _lines(value) if name == "tags" else value)
            video.words, video.updated_at = _words(video), self._now()
            return video

        return await self._database.write(work)

    async def delete(self, video_id: str) -> None:
        """With its bytes, which go first: a row without bytes can be deleted again, bytes without a row are lost sight
        of. Raises VideoNotFoundError or LibraryUnavailableError."""
        async with self._database.read() as session:
            if await session.get(Video, video_id) is None:
                raise not_there()
        await self._storage.delete(video_id)
        was_there = await self._database.write(lambda session: repository.remove(session, video_id, now=self._now()))
        await self._storage.delete(video_id)  # what was made meanwhile
        if not was_there:
            raise not_there()
        log.info("video_deleted", video_id=video_id)

    async def _look_up(self, ids: Sequence[str]) -> Sequence[Video | None]:
        async with self._database.read() as session:
            found = await repository.of_ids(session, set(ids))
        return [found.get(video_id) for video_id in ids]

    async def _add(self, session: AsyncSession, video: Video) -> None:
        if video.key_id is not None:
            held = await repository.held(session, video.key_id)
            if held + max(video.size, repository.LEAST) > self._quota:
                raise LibraryQuotaExceededError(
                    f"This key holds {held} of the {self._quota} bytes that it may (library.quota), and this video has "
                    f"{video.size}. Have some of its videos deleted."
                )
        session.add(video)

    def _made(self, caller: Caller, body: VideoBody, video_id: str) -> Video:
        now = self._now()
        video = Video(
            id=video_id,
            title=body.title,
            description=body.description,
            tags=_lines(body.tags),
            type=body.type,
            size=body.size,
            sha256=body.sha256,
            state=VideoState.UPLOADING,
            key_id=caller.id or None,
            made_by=caller.name,
            created_at=now,
            updated_at=now,
        )
        video.words = _words(video)
        return video


_WHOLE: Final = (VideoState.CHECKING, VideoState.TRANSCODING, VideoState.READY)


def not_there() -> VideoNotFoundError:
    return VideoNotFoundError("There is no video with this id.")


def _lines(tags: Iterable[str]) -> str:
    return "".join(f"\n{tag}" for tag in dict.fromkeys(tags)) + "\n"


def _words(video: Video) -> str:
    return f"{video.title}\n{video.description}{video.tags}".casefold()
