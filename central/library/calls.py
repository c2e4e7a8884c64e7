"""Calls about videos."""

from __future__ import annotations

from cast_http.operations import NoQuery
from central.core.operations import Call
from central.core.replies import FileReply, Reply
from central.core.uploads import Upload
from central.library import models
from central.library.models import ContentQuery, FileQuery, VideoBody, VideoPatch, VideosQuery
from central.library.service import Library
from central.library.tables import Video


async def reserve_video(call: Call[Library, VideoBody, NoQuery]) -> Reply:
    video = await call.service.videos.reserve(call.caller, call.body)
    return Reply(_answer(video, 0), status=201, headers={"Location": f"/api/v1/videos/{video.id}"})


async def list_videos(call: Call[Library, None, VideosQuery]) -> Reply:
    page = await call.service.videos.page(call.caller, call.query)
    received = await call.service.videos.received(page.items)
    items = [_answer(video, received[video.id]) for video in page.items]
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


async def complete_video(call: Call[Library, None, NoQuery]) -> Reply:
    video = await call.service.uploads.complete(call.caller, call.path["id"])
    return await _told(call.service, video, status=202)


async def get_video_source(call: Call[Library, None, NoQuery]) -> Reply:
    source = await call.service.sources.find(call.caller, call.path["id"])
    names = ("id", "title", "type", "size", "sha256", "duration")
    columns = {name: getattr(source.video, name) for name in names}
    return Reply(models.Source(path=source.path, expires_at=source.expires_at, **columns))


async def get_video_file(call: Call[Library, None, FileQuery]) -> FileReply:
    query = call.query
    video, file = await call.service.sources.file(
        call.path["id"], box=query.box, expires=query.expires, token=query.token
    )
    return FileReply(file, video.type)


async def _told(library: Library, video: Video, *, status: int = 200) -> Reply:
    received = await library.videos.received([video])
    return Reply(_answer(video, received[video.id]), status=status)


def _answer(video: Video, received: int) -> models.Video:
    columns = {name: getattr(video, name) for name in models.Video.model_fields if name not in ("tags", "received")}
    return models.Video(tags=video.tags.split("\n")[1:-1], received=received, **columns)
