"""Calls about live streams."""

from __future__ import annotations

from typing import Any

from cast_http.operations import NoQuery
from central.core.operations import Call
from central.core.replies import Reply
from central.live import models
from central.live.models import LiveBody, LivePatch, LiveQuery
from central.live.repository import LiveRecord
from central.live.service import Lives
from central.streams.models import Urls


async def add_live(call: Call[Lives, LiveBody, NoQuery]) -> Reply:
    record, key = await call.service.add(call.caller, call.body)
    publish = models.Publish(**call.service.publish_urls.of(record.path, key))
    answer = models.NewLive(**_fields(call.service, record), key_value=key, publish=publish)
    return Reply(answer, status=201, headers={"Location": f"/api/v1/live/{record.key.id}"})


async def list_lives(call: Call[Lives, None, LiveQuery]) -> Reply:
    query = call.query
    page = await call.service.page(state=query.state, cursor=query.cursor, limit=query.limit)
    items = [models.Live(**_fields(call.service, record)) for record in page.items]
    return Reply(models.Lives(items=items, next_cursor=page.next_cursor))


async def get_live(call: Call[Lives, None, NoQuery]) -> Reply:
    return _told(call.service, await call.service.get(call.path["id"]))


async def change_live(call: Call[Lives, LivePatch, NoQuery]) -> Reply:
    return _told(call.service, await call.service.change(call.path["id"], call.body.given()))


async def stop_live(call: Call[Lives, None, NoQuery]) -> Reply:
    return _told(call.service, await call.service.stop(call.caller, call.path["id"]))


async def end_live(call: Call[Lives, None, NoQuery]) -> Reply:
    await call.service.end(call.path["id"])
    return Reply(status=204)


def _told(lives: Lives, record: LiveRecord) -> Reply:
    return Reply(models.Live(**_fields(lives, record)))


def _fields(lives: Lives, record: LiveRecord) -> dict[str, Any]:
    key, stream = record.key, record.stream
    names = ("id", "title", "record", "path", "created_at", "expires_at", "revoked_at")
    return {
        **{name: getattr(key, name) for name in names},
        "state": lives.state(record),
        "urls": Urls(**lives.urls.of(record.path)),
        "stream_id": stream.id if stream else None,
        "code": stream.code if stream else None,
        "started_at": stream.started_at if stream else None,
        "interrupted_at": stream.interrupted_at if stream else None,
    }
