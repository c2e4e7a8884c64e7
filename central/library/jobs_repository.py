"""SQL for jobs and what they made. A unit of work that ends a job has locked its video before."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from central.core.db.among import among, texts
from central.library.tables import Job, Rendition, Video
from central.library.types import JobKind, JobState, VideoState

ACTIVE: Final = (JobState.QUEUED, JobState.RUNNING)


async def take(
    session: AsyncSession, *, now: datetime, until: datetime, worker: str, lease_id: str
) -> tuple[Job, Video] | None:
    """The first job that is due, which is this worker's until then; and its video. None when there is none."""
    is_due = (Job.state.in_(ACTIVE), Job.lease_until <= now)
    first = select(Job.id).where(*is_due).order_by(Job.priority.desc(), Job.id).limit(1)
    statement = (
        update(Job)
        .where(Job.id == first.with_for_update(skip_locked=True).scalar_subquery(), *is_due)
        .values(
            state=JobState.RUNNING,
            tries=Job.tries + 1,
            progress=0.0,
            lease_id=lease_id,
            lease_until=until,
            worker=worker,
            updated_at=now,
        )
    )
    job = (await session.scalars(statement.returning(Job))).one_or_none()
    return None if job is None else (job, await session.get_one(Video, job.video_id))


async def change(
    session: AsyncSession, job_id: str, values: Mapping[str, Any], *, lease_id: str | None = None
) -> Job | None:
    """The job with these values; None unless it is active, and that lease, if one is named, is the one of now."""
    statement = update(Job).where(Job.id == job_id, Job.state.in_(ACTIVE)).values(values)
    if lease_id is not None:
        statement = statement.where(Job.lease_id == lease_id)
    return (await session.scalars(statement.returning(Job))).one_or_none()


async def give_up(
    session: AsyncSession,
    job: Job,
    *,
    state: JobState,
    problem: str,
    now: datetime,
    lease_id: str | None = None,
) -> tuple[Job, Video] | None:
    """End a job without a result; and with it a video that boxes cannot play without. None unless `change` would."""
    video = await session.get(Video, job.video_id, with_for_update=True)
    values = {"state": state, "problem": problem, "updated_at": now}
    changed = await change(session, job.id, values, lease_id=lease_id)
    if video is None or changed is None:
        return None
    if makes_playable(changed, video):
        video.state, video.problem, video.updated_at = VideoState.FAILED, problem, now
    return changed, video


def makes_playable(job: Job, video: Video) -> bool:
    """Return True while boxes wait for the result of this job."""
    return video.state == VideoState.TRANSCODING and job.kind == JobKind.FULL_HD


async def active(session: AsyncSession, video_id: str, kind: JobKind) -> Job | None:
    query = select(Job).where(Job.video_id == video_id, Job.kind == kind, Job.state.in_(ACTIVE))
    return (await session.scalars(query)).one_or_none()


async def last(session: AsyncSession, video_id: str, kind: JobKind) -> Job | None:
    """The newest one, whatever became of it."""
    query = select(Job).where(Job.video_id == video_id, Job.kind == kind).order_by(Job.id.desc()).limit(1)
    return (await session.scalars(query)).one_or_none()


async def page(
    session: AsyncSession,
    *,
    state: JobState | None,
    video_id: str | None,
    key_id: str | None,
    after: str | None,
    limit: int,
) -> Sequence[Job]:
    """The newest first; those of videos of that key, if one is named."""
    conditions: list[ColumnElement[bool]] = []
    if state is not None:
        conditions.append(Job.state == state)
    if video_id is not None:
        conditions.append(Job.video_id == video_id)
    if key_id is not None:
        conditions.append(Job.video_id.in_(select(Video.id).where(Video.key_id == key_id)))
    if after is not None:
        conditions.append(Job.id < after)
    return (await session.scalars(select(Job).where(*conditions).order_by(Job.id.desc()).limit(limit))).all()


_RENDITIONS: Final = select(Rendition).where(among(Rendition.video_id, texts("ids"))).order_by(Rendition.id)


async def renditions(session: AsyncSession, video_ids: Collection[str]) -> Sequence[Rendition]:
    """The renditions of these videos, in the order of their making."""
    return (await session.scalars(_RENDITIONS, {"ids": video_ids})).all()


async def rendition(session: AsyncSession, video_id: str, kind: JobKind) -> Rendition | None:
    query = select(Rendition).where(Rendition.video_id == video_id, Rendition.kind == kind)
    return (await session.scalars(query)).one_or_none()


async def needed(session: AsyncSession, lease_ids: Iterable[str]) -> tuple[set[str], set[str]]:
    """Of these leases those under which something is being made, and those under which something was made."""
    ids = list(lease_ids)
    running = select(Job.lease_id).where(Job.lease_id.in_(ids), Job.state == JobState.RUNNING)
    made = select(Rendition.id).where(Rendition.id.in_(ids))
    return {each for each in await session.scalars(running) if each}, set(await session.scalars(made))


async def forget(session: AsyncSession, *, before: datetime, limit: int) -> int:
    """Delete jobs that ended before that moment. Returns their number."""
    ended = (JobState.DONE, JobState.FAILED, JobState.CANCELLED)
    old = select(Job.id).where(Job.state.in_(ended), Job.updated_at < before).order_by(Job.updated_at).limit(limit)
    ids = (await session.scalars(old.with_for_update(skip_locked=True))).all()
    await session.execute(delete(Job).where(Job.id.in_(ids)))
    return len(ids)
