"""Calls about streams."""

from __future__ import annotations

from typing import Final

from central.api import models
from central.api.models import AllStreamsQuery, NoQuery, StreamBody, StreamPatch, StreamsQuery
from central.api.operations import Call, Reply
from central.db.tables import Stream
from central.services.pages import Page
from central.types import StreamEnd, StreamStatus
from central.urls import PlayUrls

_AS_STORED: Final = models.Stream.model_fields.keys() - {"urls", "metadata", "updated_at", "end_reason"}


async def start_stream(call: Call[StreamBody, NoQuery]) -> Reply:
    body = call.body
    values = {"url": body.url, "title": body.title, "quality": body.quality, "meta": body.metadata}
    stream, is_new = await call.services.streams.start(call.caller, body.device_id, values)
    headers = {"Location": f"/api/v1/streams/{stream.id}"}
    return Reply(answer_of(call.services.urls, stream), status=201 if is_new else 200, headers=headers)


async def list_all_streams(call: Call[None, AllStreamsQuery]) -> Reply:
    return _answer_of_page(call.services.urls, await _page(call, call.query.status))


async def list_streams(call: Call[None, StreamsQuery]) -> Reply:
    page = await _page(call, StreamStatus.ACTIVE)
    on = [answer_of(call.services.urls, stream) for stream in page.items]
    return Reply(models.LiveStreams(streams=on, count=len(on), items=on, next_cursor=page.next_cursor))


async def get_stream(call: Call[None, NoQuery]) -> Reply:
    stream = await call.services.streams.find(call.caller, call.path["stream"], address=call.address)
    return Reply(answer_of(call.services.urls, stream))


async def get_live_stream(call: Call[None, NoQuery]) -> Reply:
    services = call.services
    stream = await services.streams.find(call.caller, call.path["stream"], address=call.address)
    broadcaster = await services.streams.broadcaster(stream)
    detail = models.StreamDetail(
        **dict(answer_of(services.urls, stream)),
        broadcaster=models.PublisherName(id=broadcaster.id, name=broadcaster.name) if broadcaster else None,
        source_type=stream.connection_type,
        duration=services.streams.duration_s(stream),
    )
    return Reply(detail)


async def change_stream(call: Call[StreamPatch, NoQuery]) -> Reply:
    stream = await call.services.streams.change(call.caller, call.path["stream"], call.body.given())
    return Reply(answer_of(call.services.urls, stream))


async def stop_stream(call: Call[None, NoQuery]) -> Reply:
    return Reply(answer_of(call.services.urls, await call.services.streams.stop(call.caller, call.path["stream"])))


def answer_of(urls: PlayUrls, stream: Stream) -> models.Stream:
    """A stream as callers see it; its addresses are there while it is on."""
    is_active = stream.status == StreamStatus.ACTIVE
    found = urls.of(stream.path) if is_active and stream.path else {}
    return models.Stream(
        **{name: getattr(stream, name) for name in _AS_STORED},
        updated_at=stream.updated_at or stream.started_at,
        end_reason=None if is_active or stream.end_reason is None else StreamEnd(stream.end_reason),
        urls=models.Urls(**found) if found else None,
        metadata=stream.meta,
    )


async def _page(
    call: Call[None, AllStreamsQuery] | Call[None, StreamsQuery], status: StreamStatus | None
) -> Page[Stream]:
    query = call.query
    return await call.services.streams.page(
        call.caller,
        status=status,
        source=query.source,
        device_id=query.device_id,
        cursor=query.cursor,
        limit=query.limit,
    )


def _answer_of_page(urls: PlayUrls, page: Page[Stream]) -> Reply:
    items = [answer_of(urls, stream) for stream in page.items]
    return Reply(models.Streams(items=items, next_cursor=page.next_cursor))
