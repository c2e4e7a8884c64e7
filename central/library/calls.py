"""Calls about videos and jobs."""

from __future__ import annotations

from collections.abc import Sequence

from cast_http.operations import NoQuery
from central.core.operations import Call
from central.core.replies import FileReply, Reply, StreamReply
from central.core.uploads import Upload
from central.library import models
from central.library.models import (
    ContentQuery,
    FileQuery,
    JobBody,
    JobsQuery,
    SourceQuery,
    VideoBody,
    VideoPatch,
    VideosQuery,
)
from central.library.service import Library
from central.library.tables import Job, Rendition, Video
from central.library.types import PICTURES, JobKind


async def reserve_video(call: Call[Library, VideoBody, NoQuery]) -> Reply:
    video = await call.service.videos.reserve(call.caller, call.body)
    return Reply(_answer(video, 0, []), status=201, headers={"Location": f"/api/v1/videos/{video.id}"})


async def list_videos(call: Call[Library, None, VideosQuery]) -> Reply:
    page = await call.service.videos.page(call.caller, call.query)
    received = await call.service.videos.received(page.items)
    made = await call.service.jobs.renditions(page.items)
    items = [_answer(video, received[video.id], made[video.id]) for video in page.items]
    return Reply(models.Videos(items=items, next_cursor=page.next_cursor))


async def get_video(call: Call[Library, None, NoQuery]) -> Reply:
    return await _told(call.service, await call.service.videos.get(call.caller, call.path["id"]))


async def change_video(call: Call[Library, VideoPatch, NoQuery]) -> Reply:
    return await _told(call.service, await call.service.videos.change(call.path["id"], call.body))


async def delete_video(call: Call[Library, None, NoQuery]) -> Reply:
    await call.service.videos.delete(call.path["id"])
    return Reply(status=204)


async def upload_video(call: Call[Library, Upload, ContentQuery]) -> Reply:
    video = await call.service.uploads.receive(call.caller, call.path["id"], call.body, offset=call.query.offset)
    return await _told(call.service, video)


async def plan_upload(call: Call[Library, None, NoQuery]) -> Reply:
    plan = await call.service.uploads.plan(call.caller, call.path["id"])
    return Reply(models.UploadPlan.model_validate(plan, from_attributes=True))


async def complete_video(call: Call[Library, None, NoQuery]) -> Reply:
    video = await call.service.uploads.complete(call.caller, call.path["id"])
    return await _told(call.service, video, status=202)


async def get_video_source(call: Call[Library, None, SourceQuery]) -> Reply:
    source = await call.service.sources.find(call.caller, call.path["id"], call.query.rendition)
    columns = {name: getattr(source.video, name) for name in ("id", "title", "duration")}
    columns |= {name: getattr(source, name) for name in ("type", "size", "sha256", "path", "url", "expires_at")}
    return Reply(models.Source(**columns))


async def get_video_file(call: Call[Library, None, FileQuery]) -> FileReply | StreamReply:
    return await call.service.sources.file(call.path["id"], call.query)


async def get_video_poster(call: Call[Library, None, NoQuery]) -> FileReply | StreamReply:
    return await _picture(call, JobKind.POSTER)


async def get_video_thumbnails(call: Call[Library, None, NoQuery]) -> FileReply | StreamReply:
    return await _picture(call, JobKind.THUMBNAILS)


async def get_video_thumbnail_times(call: Call[Library, None, NoQuery]) -> Reply:
    video = await call.service.videos.get(call.caller, call.path["id"])
    return Reply(text=await call.service.sources.thumbnail_times(video), content_type="text/vtt")


async def add_job(call: Call[Library, JobBody, NoQuery]) -> Reply:
    job, is_new = await call.service.jobs.add(call.caller, call.path["id"], call.body.kind)
    return Reply(_job(job), status=201 if is_new else 200)


async def list_jobs(call: Call[Library, None, JobsQuery]) -> Reply:
    page = await call.service.jobs.page(call.caller, call.query)
    return Reply(models.Jobs(items=[_job(job) for job in page.items], next_cursor=page.next_cursor))


async def cancel_job(call: Call[Library, None, NoQuery]) -> Reply:
    await call.service.jobs.cancel(call.caller, call.path["id"])
    return Reply(status=204)


async def _picture(call: Call[Library, None, NoQuery], kind: JobKind) -> FileReply | StreamReply:
    return await call.service.sources.picture(await call.service.videos.get(call.caller, call.path["id"]), kind)


async def _told(library: Library, video: Video, *, status: int = 200) -> Reply:
    received, made = await library.videos.received([video]), await library.jobs.renditions([video])
    return Reply(_answer(video, received[video.id], made[video.id]), status=status)


def _answer(video: Video, received: int, made: Sequence[Rendition]) -> models.Video:
    other = ("tags", "received", "renditions", *PICTURES)
    columns = {name: getattr(video, name) for name in models.Video.model_fields if name not in other}
    films = [each for each in made if each.kind not in PICTURES]
    renditions = [models.Rendition.model_validate(film, from_attributes=True) for film in films]
    kinds = {each.kind for each in made}
    columns |= {kind: f"/api/v1/videos/{video.id}/{kind}" if kind in kinds else None for kind in PICTURES}
    tags = video.tags.split("\n")[1:-1]
    return models.Video(tags=tags, received=received, renditions=renditions, **columns)


def _job(job: Job) -> models.Job:
    return models.Job.model_validate(job, from_attributes=True)
