"""Live HLS in fragmented MP4 as ffmpeg writes it: the newest three segments of 2 s."""

from __future__ import annotations

import asyncio
import math
import time

from aiohttp import web

from tests.support.clips import Clips

SEGMENT_S = 2
WINDOW = 3
FORGOTTEN_S = 10.0
"""The time after which the stream begins again for who asks: players ask each few seconds."""


def add_to(app: web.Application, clips: Clips) -> None:
    began = asked = -math.inf

    async def playlist(request: web.Request) -> web.Response:
        nonlocal began, asked
        now = time.monotonic()
        if now - asked > FORGOTTEN_S:
            began = now
        asked = now
        first = int((now - began) / SEGMENT_S)
        lines = ["#EXTM3U", "#EXT-X-VERSION:7", f"#EXT-X-TARGETDURATION:{SEGMENT_S}"]
        lines += [f"#EXT-X-MEDIA-SEQUENCE:{first}", '#EXT-X-MAP:URI="init.mp4"']
        for number in range(first, first + WINDOW):
            lines += [f"#EXTINF:{SEGMENT_S}.000000,", f"seg{number}.m4s"]
        return web.Response(text="\n".join([*lines, ""]), content_type="application/vnd.apple.mpegurl")

    async def part(request: web.Request) -> web.Response:
        file = (await asyncio.to_thread(clips.hls_fmp4)) / request.match_info["name"]
        if not file.exists():
            raise web.HTTPNotFound
        # A FileResponse leaves its file open when a player goes away at the wrong moment.
        return web.Response(body=file.read_bytes(), content_type="video/mp4")

    app.router.add_get("/live-fmp4/index.m3u8", playlist)
    app.router.add_get("/live-fmp4/{name}", part)
