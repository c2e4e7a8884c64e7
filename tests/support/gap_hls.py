"""Low-latency HLS as MediaMTX 1.20 serves it to the first viewer: the muxer begins with the request, so its playlist is
filled up with segments that never were. libVLC asks for one of them again and again, FFmpeg goes on to the next."""

from __future__ import annotations

import asyncio
import time

from aiohttp import web

from tests.support.clips import Clips

SEGMENT_S = 2
WINDOW = 7

_HEAD = f"""#EXTM3U
#EXT-X-VERSION:9
#EXT-X-TARGETDURATION:{SEGMENT_S}
#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=1.0,CAN-SKIP-UNTIL=12
#EXT-X-PART-INF:PART-TARGET=0.4
"""


def add_to(app: web.Application, clips: Clips) -> None:
    began: list[float] = []

    async def playlist(request: web.Request) -> web.Response:
        began[:] = began or [time.monotonic()]
        first = int((time.monotonic() - began[0]) / SEGMENT_S)
        lines = [f"#EXT-X-MEDIA-SEQUENCE:{first}", '#EXT-X-MAP:URI="init.mp4"']
        for number in range(first - WINDOW + 1, first + 1):
            gap = [] if number >= 0 else ["#EXT-X-GAP"]
            lines += [*gap, f"#EXTINF:{SEGMENT_S}.00000,", f"seg{number}.m4s" if number >= 0 else "gap.mp4"]
        return web.Response(text="\n".join([_HEAD + lines[0], *lines[1:], ""]), content_type=_PLAYLIST)

    async def part(request: web.Request) -> web.Response:
        file = (await asyncio.to_thread(clips.hls_fmp4)) / request.match_info["name"]
        if not file.exists():
            raise web.HTTPNotFound
        return web.Response(body=file.read_bytes(), content_type="video/mp4")

    app.router.add_get("/gap-hls/index.m3u8", playlist)
    app.router.add_get("/gap-hls/{name}", part)


_PLAYLIST = "application/vnd.apple.mpegurl"
