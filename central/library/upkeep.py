"""Removes uploads that nobody goes on with, videos that failed long ago, and what is left of jobs."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

import structlog

from central.core.db.engine import Database
from central.core.errors import UploadInUseError
from central.core.forgetting import forget
from central.core.pages import Clock, utc_now
from central.library import jobs_repository, repository
from central.library.storage import Storage
from central.library.tables import Video
from central.library.types import VideoState
from central.library.workshop import Workshop

log = structlog.stdlib.get_logger(__name__)

KEPT: Final = {VideoState.UPLOADING: timedelta(days=1), VideoState.FAILED: timedelta(days=7)}
"""The time for which a video stays in a state without any change: an upload goes on within a day, or is abandoned."""
JOBS_KEPT: Final = timedelta(days=30)
"""After their end."""
PORTION: Final = 100
"""Videos of one look."""


class Upkeep:
    """Sweeps; several instances may do so at once."""

    def __init__(self, database: Database, storage: Storage, workshop: Workshop, *, now: Clock = utc_now) -> None:
        self._database = database
        self._storage = storage
        self._workshop = workshop
        self._now = now

    async def once(self) -> None:
        """Sweep; what is left of a portion goes the next time. Raises DatabaseUnavailableError."""
        for state, kept in KEPT.items():
            before = self._now() - kept
            async with self._database.read() as session:
                old = await repository.of_state(session, state, before=before, limit=PORTION)
            for video in old:
                await self._remove(video.id, before)
        await self._sweep()
        await self._sweep_uploads()
        await forget(self._database, jobs_repository.forget, before=self._now() - JOBS_KEPT)

    async def _sweep(self) -> None:
        """Delete what workers left behind that were killed."""
        begun = await self._workshop.begun()
        async with self._database.read() as session:
            running, made = await jobs_repository.needed(session, [lease_id for _, lease_id in begun])
        for video_id, lease_id in begun:
            if lease_id in made:
                await self._workshop.end(video_id, lease_id)
            elif lease_id not in running:
                await self._workshop.discard(video_id, lease_id)

    async def _sweep_uploads(self) -> None:
        """Delete what was begun for videos that are not there: a crash was between the two."""
        orphans = await self._storage.tidy(self._now() - KEPT[VideoState.UPLOADING])
        async with self._database.read() as session:
            known = await repository.there(session, orphans)
        for video_id in orphans:
            if video_id not in known:
                await self._storage.delete(video_id)

    async def _remove(self, video_id: str, before: datetime) -> None:
        try:
            async with self._storage.held(video_id):
                async with self._database.read() as session:
                    video = await session.get(Video, video_id)
                if video is None or max(video.updated_at, await self._storage.touched(video_id)) >= before:
                    return  # the upload has just continued, or went on until then
                await self._delete(video_id)
                log.info("video_removed", video_id=video_id, state=video.state)
        except UploadInUseError:
            return  # an upload of more than a day
        except FileNotFoundError:
            await self._delete(video_id)

    async def _delete(self, video_id: str) -> None:
        await self._storage.delete(video_id)
        # An import that was interrupted for that long begins anew, so nothing may say that somebody deleted the video.
        await self._database.write(
            lambda session: repository.remove(session, video_id, now=self._now(), without_trace=VideoState.UPLOADING)
        )
