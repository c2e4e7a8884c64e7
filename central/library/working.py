"""Does what the jobs say: takes one under a lease, has it made, and swaps the result in if the lease still holds."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, Protocol

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from central.core.db.engine import Database
from central.core.errors import DatabaseUnavailableError, StorageFullError, UnavailableError
from central.core.ids import new_id
from central.core.pages import Clock, utc_now
from central.core.threads import in_thread
from central.core.workers import OnDemand
from central.library import jobs_repository as repository
from central.library.digest import sha256_of
from central.library.disk import synced
from central.library.probe import Flaw
from central.library.storage import Storage
from central.library.tables import Job, Rendition, Video
from central.library.types import JobState, VideoState
from central.library.workshop import Workshop

log = structlog.stdlib.get_logger(__name__)

LEASE_S: Final = 30.0
"""The time for which a job stays with a worker that says nothing: longer than a restart of the database takes. A third
of it is between two heartbeats."""
TRIES: Final = 3
"""The number of times that a job is begun: a film that ends its worker does so each time."""
PAUSE_S: Final = 60.0
"""Seconds before the next try of a job that could not be done now."""
LOOK_EVERY_S: Final = 5.0
"""Seconds until a job is found that was added through another instance, or whose lease has run out."""


@dataclass(slots=True)
class Assignment:
    """The job that a worker makes now."""

    job: Job
    video: Video
    lease_id: str
    folder: Path
    """The folder in which it may be made."""
    source: Path = field(init=False)
    """The original: a file of this machine for as long as the thing is made."""
    progress: float = 0.0
    """From 0 to 1, by whoever makes it."""


@dataclass(frozen=True, slots=True)
class Made:
    """A file in the folder of its task."""

    file: Path
    width: int
    height: int


class Maker(Protocol):
    """Makes what the kind of a job says."""

    async def make(self, task: Assignment) -> Made:
        """Raises Flaw when it cannot be made of this video, UnavailableError or StorageFullError when it cannot be made
        now, and anything else when it is worth another try."""


class Working:
    """Runs jobs. A job of a process that is killed is taken by another when its lease has run out; a result that comes
    after that is thrown away."""

    def __init__(
        self,
        database: Database,
        storage: Storage,
        workshop: Workshop,
        maker: Maker,
        *,
        name: str,
        now: Clock = utc_now,
        lease_s: float = LEASE_S,
    ) -> None:
        """`name` tells callers which worker has a job."""
        self._database = database
        self._storage = storage
        self._workshop = workshop
        self._maker = maker
        self._name = name
        self._now = now
        self._lease_s = lease_s
        work = OnDemand(self._one, every_s=min(LOOK_EVERY_S, lease_s))
        self.wake, self.run = work.wake, work.run

    async def _one(self) -> bool:
        """Do the job that is first; whether there was one."""
        lease_id, now = new_id(), self._now()
        until = now + timedelta(seconds=self._lease_s)
        taken = await self._database.write(
            lambda session: repository.take(session, now=now, until=until, worker=self._name, lease_id=lease_id)
        )
        if taken is None:
            return False
        job, video = taken
        if job.tries > TRIES:
            await self._fail(job, lease_id, f"It was begun {TRIES} times and not ended. {job.problem or ''}".strip())
            return True
        log.info("job_started", job_id=job.id, video_id=video.id, kind=job.kind, tries=job.tries)
        try:
            await self._do(job, video, lease_id)
        except Flaw as flaw:
            await self._fail(job, lease_id, str(flaw))
        except DatabaseUnavailableError:
            raise  # what became of it is not known: the lease runs out, or it is done
        except (StorageFullError, UnavailableError) as error:
            await self._put_back(job, lease_id, pause_s=PAUSE_S, problem=str(error), tries=job.tries - 1)
            raise
        except asyncio.CancelledError:
            await self._put_back(job, lease_id, pause_s=0.0, tries=job.tries - 1)
            raise
        except Exception as error:
            await self._put_back(job, lease_id, pause_s=PAUSE_S, problem=f"It ended early ({type(error).__name__}).")
            raise
        return True

    async def _do(self, job: Job, video: Video, lease_id: str) -> None:
        task = Assignment(job, video, lease_id, await self._workshop.begin(video.id, lease_id))
        made = await self._while_held(task)
        if made is None or not await self._swapped_in(task, made):
            log.info("job_lost", job_id=job.id, video_id=video.id, kind=job.kind)
            await self._workshop.discard(video.id, lease_id)
            return
        await self._workshop.end(video.id, lease_id)
        log.info("job_finished", job_id=job.id, video_id=video.id, kind=job.kind)

    async def _while_held(self, task: Assignment) -> Rendition | None:
        """Make the thing and return it; None when the lease was lost before."""
        making = asyncio.create_task(self._rendition(task), name="job")
        holding = asyncio.create_task(self._hold(task), name="job-lease")
        try:
            await asyncio.wait((making, holding), return_when=asyncio.FIRST_COMPLETED)
            if making.done():
                return making.result()
            holding.result()  # raises what it raised
            return None
        finally:
            for each in (making, holding):
                each.cancel()
            await asyncio.gather(making, holding, return_exceptions=True)

    async def _hold(self, task: Assignment) -> None:
        """Make the lease last; returns when it is lost."""
        ends = self._now() + timedelta(seconds=self._lease_s)
        while self._now() < ends:
            await asyncio.sleep(self._lease_s / 3)
            now = self._now()
            until = now + timedelta(seconds=self._lease_s)
            with contextlib.suppress(DatabaseUnavailableError):
                if await self._changed(task.job, task.lease_id, lease_until=until, progress=task.progress) is None:
                    return
                ends = until

    async def _rendition(self, task: Assignment) -> Rendition:
        made = await self._made(task)
        size = await in_thread(synced, made.file)  # what the database says is there, is
        sha256 = await sha256_of(made.file)
        await self._storage.keep(task.video.id, task.lease_id, made.file)
        return Rendition(
            id=task.lease_id,
            video_id=task.video.id,
            kind=task.job.kind,
            size=size,
            sha256=sha256,
            width=made.width,
            height=made.height,
        )

    async def _made(self, task: Assignment) -> Made:
        try:
            async with self._storage.local(task.video.id, task.video.size) as task.source:
                return await self._maker.make(task)
        except FileNotFoundError as error:
            raise Flaw("The file of the video is lost.") from error

    async def _swapped_in(self, task: Assignment, rendition: Rendition) -> bool:
        """In one unit the job is done and what it made is there, if the lease held until now."""
        now = self._now()

        async def work(session: AsyncSession) -> bool:
            video = await session.get(Video, task.video.id, with_for_update=True)
            done = {"state": JobState.DONE, "progress": 1.0, "problem": None, "updated_at": now}
            job = await repository.change(session, task.job.id, done, lease_id=task.lease_id)
            if video is None or job is None:
                return False
            rendition.created_at = now
            session.add(rendition)
            if repository.makes_playable(job, video):
                video.state, video.updated_at = VideoState.READY, now
            return True

        return await self._database.write(work)

    async def _fail(self, job: Job, lease_id: str, problem: str) -> None:
        """End a job that cannot be done, and with it a video that cannot be played without."""
        ended = await self._database.write(
            lambda session: repository.give_up(
                session, job, state=JobState.FAILED, problem=problem, now=self._now(), lease_id=lease_id
            )
        )
        if ended is None:
            return
        log.warning("job_failed", job_id=job.id, video_id=job.video_id, kind=job.kind, problem=problem)
        await self._workshop.discard(job.video_id, lease_id)
        if ended[1].state == VideoState.FAILED:
            await self._storage.delete(job.video_id)

    async def _put_back(self, job: Job, lease_id: str, *, pause_s: float, **values: Any) -> None:
        """Leave a job to whoever takes it after a pause."""
        due = self._now() + timedelta(seconds=pause_s)
        changed = await self._changed(job, lease_id, state=JobState.QUEUED, progress=0.0, lease_until=due, **values)
        if changed is not None:
            log.info("job_requeued", job_id=job.id, video_id=job.video_id, kind=job.kind, pause_s=pause_s)
            await self._workshop.discard(job.video_id, lease_id)

    async def _changed(self, job: Job, lease_id: str, **values: object) -> Job | None:
        """None unless the lease holds."""
        return await self._database.write(
            lambda session: repository.change(session, job.id, values | {"updated_at": self._now()}, lease_id=lease_id)
        )
