"""MediaMTX for the tests: its control API with the real paths and bodies, and the real program where there is one."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import socket
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from aiohttp import ClientError, ClientSession, web

from tests.support.tools import LOOK_EVERY_S

_KINDS = {
    "rtspSession": "rtspsessions",
    "rtspsSession": "rtspssessions",
    "rtmpConn": "rtmpconns",
    "rtmpsConn": "rtmpsconns",
    "srtConn": "srtconns",
    "webRTCSession": "webrtcsessions",
}


@dataclass
class FakeControlApi:
    """Holds paths that the test puts on, and takes kicks; it can be told to fail.

    Bodies and statuses are those of MediaMTX 1.20 (api/openapi.yaml of its repository).
    """

    paths: dict[str, dict[str, Any]] = field(default_factory=dict)
    kicked: list[str] = field(default_factory=list)
    """The calls that ended a connection, such as `rtspsessions/ID`."""
    recorded: dict[str, dict[str, Any]] = field(default_factory=dict)
    """The configuration of each path that has one of its own."""
    failing: bool = False
    """Answers 500 to everything."""
    lists: int = 0
    """The number of times that the paths were listed."""
    url: str = ""

    def put_on(self, path: str, connection: str, kind: str = "rtspSession", *, ready: bool = True) -> None:
        source = {"type": kind, "id": connection}
        self.paths[path] = {"name": path, "confName": "all_others", "ready": ready, "source": source, "readers": []}

    async def _list(self, request: web.Request) -> web.Response:
        self.lists += 1
        if self.failing:
            return web.json_response({"status": "error", "error": "scripted"}, status=500)
        size, page = int(request.query["itemsPerPage"]), int(request.query["page"])
        empty: dict[str, Any] = {"ready": False, "source": None, "readers": []}
        items = [path | ({"confName": name} if name in self.recorded else {}) for name, path in self.paths.items()]
        items += [{"name": name, "confName": name, **empty} for name in self.recorded if name not in self.paths]
        count = -(-len(items) // size)
        body = {"itemCount": len(items), "pageCount": count, "items": items[page * size : (page + 1) * size]}
        return web.json_response(body)

    async def _replace(self, request: web.Request) -> web.Response:
        if self.failing:
            return web.json_response({"status": "error", "error": "scripted"}, status=500)
        self.recorded[request.match_info["name"]] = await request.json()
        return web.json_response({"status": "ok"})

    async def _delete(self, request: web.Request) -> web.Response:
        if self.failing:
            return web.json_response({"status": "error", "error": "scripted"}, status=500)
        if self.recorded.pop(request.match_info["name"], None) is None:
            return web.json_response({"status": "error", "error": "path configuration not found"}, status=404)
        return web.json_response({"status": "ok"})

    async def _kick(self, request: web.Request) -> web.Response:
        if self.failing:
            return web.json_response({"status": "error", "error": "scripted"}, status=500)
        kind, connection = request.match_info["kind"], request.match_info["id"]
        for path, item in list(self.paths.items()):
            if item["source"]["id"] == connection and _KINDS.get(item["source"]["type"]) == kind:
                del self.paths[path]
                self.kicked.append(f"{kind}/{connection}")
                return web.json_response({"status": "ok"})
        return web.json_response({"status": "error", "error": "session not found"}, status=404)


@contextlib.asynccontextmanager
async def fake_control_api() -> AsyncIterator[FakeControlApi]:
    """Serve it on a free port."""
    fake = FakeControlApi()
    app = web.Application()
    app.router.add_get("/v3/paths/list", fake._list)
    app.router.add_post("/v3/{kind}/kick/{id}", fake._kick)
    app.router.add_post("/v3/config/paths/replace/{name:.+}", fake._replace)
    app.router.add_delete("/v3/config/paths/delete/{name:.+}", fake._delete)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        fake.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield fake
    finally:
        await runner.cleanup()


@dataclass
class MediaMtxProcess:
    """The real one, on ports of its own."""

    api: str
    rtsp: int
    rtmp: int
    log: Path
    process: asyncio.subprocess.Process


@contextlib.asynccontextmanager
async def real_mediamtx(
    binary: str, *, api_port: int, central_url: str, rtsp: int = 0, hls: int = 0, **changes: Any
) -> AsyncIterator[MediaMtxProcess]:
    """Run it with `central/mediamtx.example.yml`, its addresses replaced by ours, and these changes; RTSP and HLS at
    these ports, else RTSP at a free one and no HLS."""
    example = (Path(__file__).parents[3] / "central" / "mediamtx.example.yml").read_text()
    settings = yaml.safe_load(example.replace("http://127.0.0.1:8080", central_url))
    rtsp, rtmp = rtsp or free_port(), free_port()
    settings |= {
        "logLevel": "info",
        "apiAddress": f"127.0.0.1:{api_port}",
        "rtspAddress": f"127.0.0.1:{rtsp}",
        "rtspTransports": ["tcp"],
        "rtmpAddress": f"127.0.0.1:{rtmp}",
        "hls": bool(hls),
        "hlsAddress": f"127.0.0.1:{hls}",
        "webrtc": False,
        "srt": False,
        "moq": False,
    }
    settings |= changes
    folder = Path(tempfile.mkdtemp(prefix="central-mediamtx-"))
    file, log = folder / "mediamtx.yml", folder / "log"
    file.write_text(yaml.safe_dump(settings))
    api = f"http://127.0.0.1:{api_port}"
    with log.open("wb") as out:
        process = await asyncio.create_subprocess_exec(binary, str(file), stdout=out, stderr=out, cwd=folder)
    try:
        async with ClientSession() as session, asyncio.timeout(15):
            while True:
                with contextlib.suppress(ClientError):
                    async with session.get(f"{api}/v3/paths/list") as answer:
                        assert answer.status == 200, await answer.text()
                        break
                assert process.returncode is None, log.read_text()
                await asyncio.sleep(LOOK_EVERY_S)
        yield MediaMtxProcess(api, rtsp, rtmp, log, process)
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
        shutil.rmtree(folder)


@contextlib.asynccontextmanager
async def publisher(address: str, *, kind: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """ffmpeg sending a test picture."""
    options = ["-rtsp_transport", "tcp"] if kind == "rtsp" else []
    source = ["-re", "-f", "lavfi", "-i", "testsrc=size=160x120:rate=10"]
    encode = ["-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-g", "10", "-pix_fmt", "yuv420p"]
    process = await asyncio.create_subprocess_exec(
        "ffmpeg", "-v", "error", *source, *encode, *options, "-f", kind, address,
        stdin=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await process.wait()


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
