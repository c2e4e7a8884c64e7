"""Live HLS and DASH in fragmented MP4 as ffmpeg writes them: the newest three segments of 2 s."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime

from aiohttp import web

from tests.support.clips import Clips

SEGMENT_S = 2
WINDOW = 3
_MPD = """<?xml version="1.0" encoding="utf-8"?>
<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" profiles="urn:mpeg:dash:profile:isoff-live:2011" type="dynamic"
 minimumUpdatePeriod="PT2S" availabilityStartTime="{began}" timeShiftBufferDepth="PT6.0S"
 maxSegmentDuration="PT2.0S" minBufferTime="PT4.0S">
<Period id="0" start="PT0.0S"><AdaptationSet id="0" contentType="video" startWithSAP="1" segmentAlignment="true">
<Representation id="0" mimeType="video/mp4" codecs="avc1.64001e" bandwidth="100000" width="640" height="360">
<SegmentTemplate timescale="1000" initialization="init.mp4" media="seg$Number$.m4s" startNumber="{first}">
<SegmentTimeline><S t="{first_ms}" d="2000" r="2"/></SegmentTimeline></SegmentTemplate>
</Representation></AdaptationSet></Period></MPD>
"""


def add_to(app: web.Application, clips: Clips) -> None:
    # When each address, its query included, was asked for first: the clip is 20 s, so each try has one of its own.
    began: dict[str, float] = {}

    def oldest(request: web.Request) -> int:
        return int((time.time() - began.setdefault(request.path_qs, time.time())) / SEGMENT_S)

    async def manifest(request: web.Request) -> web.Response:
        first = oldest(request)
        since = datetime.fromtimestamp(began[request.path_qs] - WINDOW * SEGMENT_S, UTC)
        text = _MPD.format(began=since.isoformat(), first=first, first_ms=first * SEGMENT_S * 1000)
        return web.Response(text=text, content_type="application/dash+xml")

    async def playlist(request: web.Request) -> web.Response:
        first = oldest(request)
        lines = ["#EXTM3U", "#EXT-X-VERSION:7", f"#EXT-X-TARGETDURATION:{SEGMENT_S}"]
        lines += [f"#EXT-X-MEDIA-SEQUENCE:{first}", '#EXT-X-MAP:URI="init.mp4"']
        for number in range(first, first + WINDOW):
            lines += [f"#EXTINF:{SEGMENT_S}.000000,", f"seg{number}.m4s"]
        return web.Response(text="\n".join([*lines, ""]), content_type="application/vnd.apple.mpegurl")

    async def part(request: web.Request) -> web.FileResponse:
        file = (await asyncio.to_thread(clips.hls_fmp4)) / request.match_info["name"]
        if not file.exists():
            raise web.HTTPNotFound
        return web.FileResponse(file)

    app.router.add_get("/live-fmp4/index.m3u8", playlist)
    app.router.add_get("/live-fmp4/index.mpd", manifest)
    app.router.add_get("/live-fmp4/{name}", part)
