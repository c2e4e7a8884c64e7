"""Jobs as callers see them: asked for, listed and cancelled."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import datetime
from itertools import chain
from typing import Final

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from central.core.batch import Batcher
from central.core.db.engine import Database
from central.core.errors import JobNotFoundError, WrongStateError
from central.core.ids import new_id
from central.core.pages import Clock, Page, id_behind, page_of, utc_now
from central.core.types import Caller
from central.library import jobs_repository as repository
from central.library.models import JobsQuery
from central.library.storage import Storage
from central.library.tables import Job, Rendition, Video
from central.library.types import JobKind, JobState, VideoState
from central.library.videos import Videos, not_there

log = structlog.stdlib.get_logger(__name__)

AWAITED: Final = 20
"""The priority of what boxes wait for."""
QUICK: Final = 10
"""The priority of posters, which take a second; thumbnails and what somebody asked for have 0."""


class Jobs:
    """Adds, lists and cancels jobs, each of which waits in the database until a worker takes it."""

    def __init__(
        self, database: Database, storage: Storage, videos: Videos, *, added: Callable[[], None], now: Clock = utc_now
    ) -> None:
        """`added` is called when there is something to be done."""
        self._database = database
        self._storage = storage
        self._videos = videos
        self._added = added
        self._now = now
        self._asked: Batcher[tuple[str, ...], Mapping[str, list[Rendition]]] = Batcher("renditions", self._made_of)

    async def add(self, caller: Caller, video_id: str, kind: JobKind) -> tuple[Job, bool]:
        """A job of this kind, and whether it is new: one that waits or runs is told as it is.

        Raises VideoNotFoundError, and WrongStateError unless the video is a film that is ready and has no such thing.
        """
        await self._videos.get(caller, video_id)

        async def work(session: AsyncSession) -> tuple[Job, bool]:
            video = await session.get(Video, video_id, with_for_update=True)
            if video is None:
                raise not_there()
            if video.state != VideoState.READY or not video.type.startswith("video/"):
                raise WrongStateError(
                    f"It is {video.state}, of the type {video.type}. Renditions, posters and thumbnails are made of "
                    "films that are ready."
                )
            if await repository.rendition(session, video_id, kind) is not None:
                raise WrongStateError(f"The video has {kind} already.")
            if (there := await repository.active(session, video_id, kind)) is not None:
                return there, False
            session.add(made := new_job(video_id, kind, now=self._now()))
            return made, True

        return await self._written(work)

    async def awaited(self, video_id: str) -> Job:
        """The job of the rendition for boxes that cannot decode the original: the last one there was, also if it failed
        or was cancelled, so that a box that asks again has nothing begun again. Raises VideoNotFoundError."""
        async with self._database.read() as session:
            last = await repository.last(session, video_id, JobKind.FULL_HD)
        if last is not None:
            return last

        async def work(session: AsyncSession) -> tuple[Job, bool]:
            if await session.get(Video, video_id, with_for_update=True) is None:
                raise not_there()
            if (there := await repository.last(session, video_id, JobKind.FULL_HD)) is not None:
                return there, False
            session.add(made := new_job(video_id, JobKind.FULL_HD, is_awaited=True, now=self._now()))
            return made, True

        job, _ = await self._written(work)
        return job

    async def page(self, caller: Caller, query: JobsQuery) -> Page[Job]:
        """The newest first; those of the caller's videos alone, unless it is an admin."""
        async with self._database.read() as session:
            found = await repository.page(
                session,
                state=query.state,
                video_id=query.video_id,
                key_id=None if caller.is_admin else caller.id,
                after=id_behind(query.cursor),
                limit=query.limit + 1,
            )
        return page_of(found, query.limit, lambda job: job.id)

    async def cancel(self, caller: Caller, job_id: str) -> None:
        """A worker that has it notices at its next heartbeat. Once more changes nothing.

        Raises JobNotFoundError, and WrongStateError when it has ended.
        """
        async with self._database.read() as session:
            job = await session.get(Job, job_id)
            video = await session.get(Video, job.video_id) if job is not None else None
        if job is None or video is None or not (caller.is_admin or video.key_id == caller.id):
            raise JobNotFoundError("There is no job with this id.")
        ended = await self._database.write(
            lambda session: repository.give_up(
                session, job, state=JobState.CANCELLED, problem="It was cancelled.", now=self._now()
            )
        )
        if ended is not None:
            log.info("job_cancelled", job_id=job_id, video_id=video.id, kind=job.kind)
            if ended[1].state == VideoState.FAILED:
                await self._storage.delete(video.id)
        elif job.state != JobState.CANCELLED:
            raise WrongStateError("The job has ended: it cannot be cancelled any more.")

    async def renditions(self, videos: Iterable[Video]) -> Mapping[str, list[Rendition]]:
        """By id what was made of each."""
        return await self._asked.submit(tuple(video.id for video in videos))

    async def _written(self, work: Callable[[AsyncSession], Awaitable[tuple[Job, bool]]]) -> tuple[Job, bool]:
        """A job, and whether this unit of work has made it."""
        job, is_new = await self._database.write(work)
        if is_new:
            log.info("job_added", job_id=job.id, video_id=job.video_id, kind=job.kind)
            self._added()
        return job, is_new

    async def _made_of(self, asked: Sequence[tuple[str, ...]]) -> Sequence[Mapping[str, list[Rendition]]]:
        found: dict[str, list[Rendition]] = {video_id: [] for video_id in chain(*asked)}
        async with self._database.read() as session:
            for rendition in await repository.renditions(session, found):
                found[rendition.video_id].append(rendition)
        return [{video_id: found[video_id] for video_id in ids} for ids in asked]


def new_job(video_id: str, kind: JobKind, *, is_awaited: bool = False, now: datetime) -> Job:
    """One that is due at once; `is_awaited` if a box waits for what it makes."""
    usual = QUICK if kind == JobKind.POSTER else 0
    return Job(
        id=new_id(),
        video_id=video_id,
        kind=kind,
        state=JobState.QUEUED,
        priority=AWAITED if is_awaited else usual,
        tries=0,
        progress=0.0,
        lease_until=now,
        created_at=now,
        updated_at=now,
    )
