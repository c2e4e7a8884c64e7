"""Calls about streams."""

from __future__ import annotations

from cast_http.operations import NoQuery
from central.core.operations import Call
from central.core.pages import Page
from central.core.replies import Reply
from central.streams import models
from central.streams.answers import answer_of
from central.streams.models import AllStreamsQuery, StreamPatch, StreamsQuery
from central.streams.service import Streams
from central.streams.tables import Stream
from central.streams.types import StreamStatus
from central.streams.urls import PlayUrls


async def list_all_streams(call: Call[Streams, None, AllStreamsQuery]) -> Reply:
    return _answer_of_page(call.service.urls, await _page(call, call.query.status))


async def list_streams(call: Call[Streams, None, StreamsQuery]) -> Reply:
    page = await _page(call, StreamStatus.ACTIVE)
    on = [answer_of(call.service.urls, stream) for stream in page.items]
    return Reply(models.LiveStreams(streams=on, count=len(on), items=on, next_cursor=page.next_cursor))


async def get_stream(call: Call[Streams, None, NoQuery]) -> Reply:
    stream = await call.service.find(call.caller, call.path["stream"], address=call.address)
    return Reply(answer_of(call.service.urls, stream))


async def get_live_stream(call: Call[Streams, None, NoQuery]) -> Reply:
    streams = call.service
    stream = await streams.find(call.caller, call.path["stream"], address=call.address)
    broadcaster = await streams.broadcaster(stream)
    detail = models.StreamDetail(
        **dict(answer_of(streams.urls, stream)),
        broadcaster=broadcaster,
        source_type=stream.connection_type,
        duration=streams.duration_s(stream),
    )
    return Reply(detail)


async def change_stream(call: Call[Streams, StreamPatch, NoQuery]) -> Reply:
    stream = await call.service.change(call.caller, call.path["stream"], call.body.given())
    return Reply(answer_of(call.service.urls, stream))


async def stop_stream(call: Call[Streams, None, NoQuery]) -> Reply:
    return Reply(answer_of(call.service.urls, await call.service.stop(call.caller, call.path["stream"])))


async def _page(
    call: Call[Streams, None, AllStreamsQuery] | Call[Streams, None, StreamsQuery], status: StreamStatus | None
) -> Page[Stream]:
    query = call.query
    return await call.service.page(
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
