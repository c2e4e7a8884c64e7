"""MediaMTX's WHIP and WHEP for the tests that have no real one: what a browser publishes, other browsers see. Statuses
and headers are those of version 1.20.1 (internal/servers/webrtc/http_server.go of its repository)."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Final
from uuid import uuid4

from aiohttp import web
from aiohttp.typedefs import Handler
from aiortc import MediaStreamTrack, RTCPeerConnection, RTCSessionDescription, VideoStreamTrack
from av import VideoFrame

from tests.central.support.fake_mediamtx import Connection, FakeMediaMtx, fake_mediamtx

HEIGHT: Final = 90
"""Lines of what is sent on: a smaller picture costs less to decode and encode."""
ALLOWED: Final = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "OPTIONS, GET, POST, PATCH, DELETE",
    "Access-Control-Allow-Headers": "Authorization, Content-Type, If-Match",
    "Access-Control-Expose-Headers": "ETag, ID, Accept-Patch, Link, Location",
}


class _Relayed(VideoStreamTrack):
    """The latest picture of a publisher, at the pace of a track."""

    def __init__(self, from_: _Published) -> None:
        super().__init__()
        self._from = from_

    async def recv(self) -> VideoFrame:
        pts, time_base = await self.next_timestamp()
        frame = await self._from.latest()
        picture = frame.reformat(width=frame.width * HEIGHT // frame.height // 2 * 2, height=HEIGHT)
        picture.pts, picture.time_base = pts, time_base
        return picture


@dataclass
class _Published:
    """What is on at a path."""

    connection: Connection
    peer: RTCPeerConnection
    frame: VideoFrame | None = None
    shown: asyncio.Event = field(default_factory=asyncio.Event)
    tasks: list[asyncio.Task[None]] = field(default_factory=list)
    codecs: list[str] = field(default_factory=list)
    """The video codecs that were offered, in the order of the offer."""

    async def latest(self) -> VideoFrame:
        await self.shown.wait()
        assert self.frame is not None
        return self.frame

    async def read(self, track: MediaStreamTrack) -> None:
        with contextlib.suppress(Exception):  # aiortc's own, when the track has ended
            while True:
                frame = await track.recv()
                if isinstance(frame, VideoFrame):
                    self.frame = frame
                    self.shown.set()


@dataclass
class FakeWebRtc:
    """Paths, by the questions and hooks of a FakeMediaMtx, and the peers that publish and watch."""

    media: FakeMediaMtx
    url: str = ""
    on: dict[str, _Published] = field(default_factory=dict)
    viewers: dict[str, RTCPeerConnection] = field(default_factory=dict)
    """By the secret of the session."""

    async def _post(self, request: web.Request) -> web.Response:
        path, kind = request.match_info["path"], request.match_info["kind"]
        assert request.content_type == "application/sdp"
        offer = RTCSessionDescription(await request.text(), "offer")
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        peer, secret = RTCPeerConnection(), str(uuid4())
        if kind == "whip":
            connection = await self.media.publish("webrtc", path, token)
            if connection is None:
                return web.json_response({"status": "error", "error": "authentication error"}, status=401)
            self.on[path] = self._receive(path, connection, peer, offer.sdp)
        else:
            if path not in self.on:
                return web.json_response({"status": "error", "error": f"no stream on '{path}'"}, status=404)
            peer.addTrack(_Relayed(self.on[path]))
            self.viewers[secret] = peer
        await peer.setRemoteDescription(offer)
        await peer.setLocalDescription(await peer.createAnswer())
        headers = {"Location": f"/{path}/{kind}/{secret}", "ETag": "*", "ID": str(uuid4())}
        return web.Response(status=201, text=peer.localDescription.sdp, content_type="application/sdp", headers=headers)

    def _receive(self, path: str, connection: Connection, peer: RTCPeerConnection, offer: str) -> _Published:
        named = [line.split()[1] for line in offer.splitlines() if line.startswith("a=rtpmap:")]
        codecs = [name.removesuffix("/90000") for name in named if name.endswith("/90000")]  # the clock of all video
        published = _Published(connection, peer, codecs=codecs)
        peer.on("track", lambda track: published.tasks.append(asyncio.create_task(published.read(track))))
        return published

    async def _delete(self, request: web.Request) -> web.Response:
        path, kind = request.match_info["path"], request.match_info["kind"]
        if kind == "whip":
            await self.drop(path)
        elif (viewer := self.viewers.pop(request.match_info["secret"], None)) is not None:
            await viewer.close()
        return web.json_response({"status": "ok"})

    async def drop(self, path: str) -> None:
        """The publisher is gone, and its viewers are sent away."""
        published = self.on.pop(path, None)
        if published is None:
            return
        await published.peer.close()
        for task in published.tasks:
            task.cancel()
        await asyncio.gather(*published.tasks, return_exceptions=True)
        await self.media.drop(published.connection)

    async def close(self) -> None:
        for viewer in self.viewers.values():
            await viewer.close()
        for path in list(self.on):
            await self.drop(path)


@web.middleware
async def _allowing(request: web.Request, handler: Handler) -> web.StreamResponse:
    if request.method == "OPTIONS":
        return web.Response(status=204, headers=ALLOWED)
    answer = await handler(request)
    answer.headers.update(ALLOWED)
    return answer


@contextlib.asynccontextmanager
async def fake_webrtc() -> AsyncIterator[FakeWebRtc]:
    """Serve it on a free port; give `media` the address of central before somebody publishes."""
    async with fake_mediamtx() as media:
        fake = FakeWebRtc(media)
        app = web.Application(middlewares=[_allowing])
        app.router.add_post("/{path:.+}/{kind:whip|whep}", fake._post)
        app.router.add_delete("/{path:.+}/{kind:whip|whep}/{secret}", fake._delete)
        runner = web.AppRunner(app)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            fake.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
            yield fake
        finally:
            await fake.close()
            await runner.cleanup()
