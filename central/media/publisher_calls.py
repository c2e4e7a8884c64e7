"""Calls about broadcasters and their stream keys."""

from __future__ import annotations

from typing import Any

from cast_http.operations import NoQuery
from central.core.models import PageQuery
from central.core.operations import Call
from central.core.replies import Reply
from central.media import models
from central.media.models import BroadcasterBody, BroadcasterPatch, StreamKeyBody, StreamKeysQuery
from central.media.repository import KeyRecord
from central.media.service import Media
from central.media.stream_keys import StreamKeys
from central.media.tables import Broadcaster


async def add_broadcaster(call: Call[Media, BroadcasterBody, NoQuery]) -> Reply:
    made = await call.service.stream_keys.add_broadcaster(call.body.name, call.body.metadata)
    return Reply(_broadcaster(made), status=201, headers={"Location": f"/broadcasters/{made.id}"})


async def list_broadcasters(call: Call[Media, None, PageQuery]) -> Reply:
    page = await call.service.stream_keys.broadcasters(cursor=call.query.cursor, limit=call.query.limit)
    items = [_broadcaster(broadcaster) for broadcaster in page.items]
    return Reply(models.Broadcasters(items=items, next_cursor=page.next_cursor))


async def get_broadcaster(call: Call[Media, None, NoQuery]) -> Reply:
    return Reply(_broadcaster(await call.service.stream_keys.broadcaster(call.path["id"])))


async def change_broadcaster(call: Call[Media, BroadcasterPatch, NoQuery]) -> Reply:
    return Reply(_broadcaster(await call.service.stream_keys.change_broadcaster(call.path["id"], call.body.given())))


async def delete_broadcaster(call: Call[Media, None, NoQuery]) -> Reply:
    await call.service.stream_keys.delete_broadcaster(call.path["id"])
    return Reply(status=204)


async def add_stream_key(call: Call[Media, StreamKeyBody, NoQuery]) -> Reply:
    keys, body = call.service.stream_keys, call.body
    record, token = await keys.add(body.broadcaster_id, name=body.name, path=body.path, expires_at=body.expires_at)
    answer = models.NewStreamKey(**_fields(keys, record), key_value=token, key=token)
    return Reply(answer, status=201, headers={"Location": f"/stream-keys/{record.key.id}"})


async def list_stream_keys(call: Call[Media, None, StreamKeysQuery]) -> Reply:
    keys, query = call.service.stream_keys, call.query
    page = await keys.page(broadcaster_id=query.broadcaster_id, cursor=query.cursor, limit=query.limit)
    items = [models.StreamKey(**_fields(keys, record)) for record in page.items]
    return Reply(models.StreamKeys(items=items, next_cursor=page.next_cursor))


async def get_stream_key(call: Call[Media, None, NoQuery]) -> Reply:
    keys = call.service.stream_keys
    return Reply(models.StreamKey(**_fields(keys, await keys.get(call.path["id"]))))


async def revoke_stream_key(call: Call[Media, None, NoQuery]) -> Reply:
    keys = call.service.stream_keys
    return Reply(models.StreamKey(**_fields(keys, await keys.revoke(call.path["id"]))))


def _broadcaster(broadcaster: Broadcaster) -> models.Broadcaster:
    return models.Broadcaster(
        id=broadcaster.id,
        name=broadcaster.name,
        created_at=broadcaster.created_at,
        updated_at=broadcaster.updated_at or broadcaster.created_at,
        metadata=broadcaster.meta,
    )


def _fields(keys: StreamKeys, record: KeyRecord) -> dict[str, Any]:
    key = record.key
    names = ("id", "broadcaster_id", "name", "path", "created_at", "expires_at", "revoked_at", "last_used")
    return {
        **{name: getattr(key, name) for name in names},
        "updated_at": key.updated_at or key.created_at,
        "broadcaster_name": record.broadcaster_name,
        "status": keys.status(key),
        "in_use": keys.in_use(record),
        "stream_id": record.stream_id,
    }
