"""Live streams with a key frame at each full 4 s of the monotonic clock, as TV and many cameras have it.

/sparse/<colour>.ts                 MPEG-TS; who comes in between gets nothing that can be shown until the next one
/sparse/<colour>/index.m3u8         HLS: the last three segments of 4 s
/sparse/master.m3u8                 the same, green, and red with twice as many bits
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator

from aiohttp import web

from tests.support.behaviour import WRITER
from tests.support.clips import LIVE_LOOP_S, Clips
from tests.support.ts import FPS, EndlessTs

KEY_EVERY_S = 4
WINDOW = 3

_PLAYLIST = "application/vnd.apple.mpegurl"


class SparseLive:
    """The handlers."""

    def __init__(self, clips: Clips) -> None:
        self._clips = clips
        self._streams: dict[str, EndlessTs] = {}

    def add_to(self, app: web.Application) -> None:
        app.router.add_get("/sparse/{colour}.ts", self._ts)
        app.router.add_get("/sparse/{colour}/index.m3u8", self._playlist)
        app.router.add_get("/sparse/master.m3u8", self._master)
        app.router.add_get("/sparse/{colour}/seg{number}.ts", self._segment)

    async def _stream(self, request: web.Request) -> EndlessTs:
        colour = request.match_info["colour"]
        if colour not in self._streams:
            path = await asyncio.to_thread(self._clips.live_ts, colour, key_every_s=KEY_EVERY_S)
            self._streams[colour] = EndlessTs(path, length_s=LIVE_LOOP_S)
        return self._streams[colour]

    async def _ts(self, request: web.Request) -> web.StreamResponse:
        stream = await self._stream(request)
        return await request[WRITER].send(_as_it_is_made(stream), content_type="video/mp2t")

    async def _playlist(self, request: web.Request) -> web.StreamResponse:
        next_one = int(time.monotonic() / KEY_EVERY_S)
        lines = ["#EXTM3U", "#EXT-X-VERSION:3", f"#EXT-X-TARGETDURATION:{KEY_EVERY_S}"]
        lines.append(f"#EXT-X-MEDIA-SEQUENCE:{next_one - WINDOW}")
        for number in range(next_one - WINDOW, next_one):
            lines += [f"#EXTINF:{KEY_EVERY_S}.0,", f"seg{number}.ts"]
        return web.Response(text="\n".join([*lines, ""]), content_type=_PLAYLIST)

    async def _master(self, _request: web.Request) -> web.StreamResponse:
        lines = [
            *("#EXT-X-STREAM-INF:BANDWIDTH=400000", "green/index.m3u8"),
            *("#EXT-X-STREAM-INF:BANDWIDTH=800000", "red/index.m3u8"),
        ]
        return web.Response(text="\n".join(["#EXTM3U", *lines, ""]), content_type=_PLAYLIST)

    async def _segment(self, request: web.Request) -> web.StreamResponse:
        first = int(request.match_info["number"]) * KEY_EVERY_S
        if first + KEY_EVERY_S > time.monotonic():
            raise web.HTTPNotFound  # it has not happened yet
        stream = await self._stream(request)
        body = b"".join(stream.second(second) for second in range(first, first + KEY_EVERY_S))
        return await request[WRITER].send(_whole(body), content_type="video/mp2t", length=len(body))


async def _whole(data: bytes) -> AsyncIterator[bytes]:
    yield data


async def _as_it_is_made(stream: EndlessTs) -> AsyncIterator[bytes]:
    for number in itertools.count(int(time.monotonic() * FPS)):
        await asyncio.sleep(number / FPS - time.monotonic())
        yield stream.picture(number)
