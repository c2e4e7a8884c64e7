"""Calls about the views of videos."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

from cast_http.operations import NoQuery
from central.analytics.models import StatsQuery
from central.analytics.service import Analytics, Found
from central.core.operations import Call
from central.core.replies import Reply, StreamReply


async def get_video_stats(call: Call[Analytics, None, StatsQuery]) -> Reply | StreamReply:
    service, query, video_id = call.service, call.query, call.path["id"]
    if query.format == "csv":
        await service.title(video_id)
        return _csv(service.video_lines(video_id, service.days(query)), f"video-{video_id}.csv")
    found = await service.of_video(video_id, query)
    told = {"video_id": video_id, "title": found.titles[video_id], **_common(found)}
    return Reply({**told, "by_box": found.sums.items, "next_cursor": found.sums.next_cursor})


async def get_analytics(call: Call[Analytics, None, StatsQuery]) -> Reply | StreamReply:
    service, query = call.service, call.query
    if query.format == "csv":
        return _csv(service.all_lines(service.days(query)), "videos.csv")
    found = await service.of_all(query)
    videos = [{**video, "title": found.titles.get(video["video_id"])} for video in found.sums.items]
    return Reply({**_common(found), "videos": videos, "next_cursor": found.sums.next_cursor})


async def reset_video_stats(call: Call[Analytics, None, NoQuery]) -> Reply:
    await call.service.reset(call.caller, call.path["id"])
    return Reply(status=204)


def _csv(lines: AsyncGenerator[bytes, None], name: str) -> StreamReply:
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return StreamReply(lines, "text/csv; charset=utf-8", headers)


def _common(found: Found) -> dict[str, Any]:
    days, sums = found.days, found.sums
    return {"from": days.first, "to": days.last, "total": sums.total, "by_day": sums.by_day}
