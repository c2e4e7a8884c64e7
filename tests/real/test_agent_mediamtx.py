"""A box that joined what somebody publishes through the real MediaMTX; skipped where there is none."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession

from agent.reporting.central.enrol import enrol
from tests.central.support.mediamtx import MediaMtxProcess, free_port, real_mediamtx
from tests.central.support.process import central_process
from tests.central.support.service import Answered, Client
from tests.support.agent import Agent
from tests.support.clips import Clips
from tests.support.leaks import LeakCheck
from tests.support.looking import wait_moves
from tests.support.screen import Screen
from tests.support.tools import LOOK_EVERY_S, program
from tests.support.xserver import XServer

BINARY = program("mediamtx")

pytestmark = pytest.mark.skipif(
    BINARY is None,
    reason="THE REAL MEDIAMTX WAS NOT TESTED: put `mediamtx` (1.19 or newer) on the PATH, or name it in MEDIAMTX",
)

DROPS = int(os.environ.get("MEDIAMTX_DROPS", "2"))
DROP_S = 2.0
BACK_WITHIN_S = 3.0
"""The time that the documentation promises."""
AT_ONCE_S = 1.0
SOON_S = 15.0


@dataclass
class Studio:
    """Central, MediaMTX and a box, and somebody who publishes."""

    admin: Client
    media: MediaMtxProcess
    agent: Agent
    film: Path

    async def publish(self, kind: str, path: str, key: str) -> asyncio.subprocess.Process:
        """Return once the stream can be viewed."""
        address = {
            "rtsp": f"rtsp://any:{key}@127.0.0.1:{self.media.rtsp}/{path}",
            "flv": f"rtmp://127.0.0.1:{self.media.rtmp}/{path}?user=any&pass={key}",
        }[kind]
        options = ["-rtsp_transport", "tcp"] if kind == "rtsp" else []
        process = await asyncio.create_subprocess_exec(
            "ffmpeg", "-v", "error", "-re", "-stream_loop", "-1", "-i", str(self.film), "-an", "-c:v", "copy",
            *options, "-f", kind, address,
            stdin=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        async with asyncio.timeout(SOON_S), ClientSession() as session:
            while True:
                async with session.get(f"{self.media.api}/v3/paths/list") as answer:
                    if any(item["name"] == path and item["ready"] for item in (await answer.json())["items"]):
                        return process
                assert process.returncode is None
                await asyncio.sleep(LOOK_EVERY_S)

    async def stream(self, path: str, *, within_s: float = AT_ONCE_S) -> Answered:
        """The stream, as soon as central knows it. That is at once, even without hooks."""
        async with asyncio.timeout(within_s):
            while True:
                for stream in (await self.admin("GET", "/streams"))["items"]:
                    if stream["path"] == path:
                        return await self.admin("GET", f"/streams/{stream['id']}")
                await asyncio.sleep(LOOK_EVERY_S)


@pytest.fixture
async def studio(
    request: pytest.FixtureRequest, xserver: XServer, clips: Clips, leaks: LeakCheck, tmp_path: Path
) -> AsyncIterator[Studio]:
    """MediaMTX as the example configures it; or "without hooks", or "HLS only"."""
    assert BINARY is not None
    kind = getattr(request, "param", "")
    api, rtsp, hls = free_port(), free_port(), free_port()
    settings: dict[str, Any] = {
        "CAST_CENTRAL_MEDIAMTX__API_URL": f"http://127.0.0.1:{api}",
        "CAST_CENTRAL_MEDIAMTX__RTSP_URL": f"rtsp://127.0.0.1:{rtsp}" if kind != "HLS only" else "",
        "CAST_CENTRAL_MEDIAMTX__HLS_URL": f"http://127.0.0.1:{hls}",
    }
    changes = {"pathDefaults": {"overridePublisher": False}} if kind == "without hooks" else {}
    with central_process(f"sqlite:///{tmp_path / 'central.db'}", **settings) as central, leaks.adopting():
        key, token = central.command("key", "add", "test"), central.command("enrol")
        agent = Agent(xserver.display, audio__output="none")
        await enrol(central.url, token, folder=agent.folder / "state", name="Hall")
        async with (
            real_mediamtx(BINARY, api_port=api, central_url=central.url, rtsp=rtsp, hls=hls, **changes) as media,
            ClientSession(central.url) as session,
        ):
            with agent:
                yield Studio(Client(session, key), media, agent, clips.live_ts("red"))


@pytest.mark.parametrize("studio", ["with hooks", "without hooks"], indirect=True)
@pytest.mark.parametrize("kind", ["rtsp", "flv"], ids=["RTSP", "RTMP"])
async def test_a_publisher_that_drops_is_on_the_screen_again(studio: Studio, xserver: XServer, kind: str) -> None:
    """A publisher that is killed for 2 s gets the same stream with the same code. The box that joined keeps its
    session, and its picture moves within 3 s of the return; as often as it happens (MEDIAMTX_DROPS)."""
    agent, path, took = studio.agent, f"live/{kind}", []
    broadcaster = await studio.admin("POST", "/broadcasters", {"name": kind})
    key = await studio.admin("POST", "/stream-keys", {"broadcaster_id": broadcaster["id"]})
    process = await studio.publish(kind, path, key["key"])
    try:
        stream = await studio.stream(path)
        with Screen(xserver.display) as screen:
            answer = await asyncio.to_thread(agent.call, "POST", "/start?wait=15", {"code": stream["code"]})
            assert answer.status == 200, answer.content
            await asyncio.to_thread(wait_moves, screen, "red")
            for _ in range(DROPS):
                process.kill()
                await process.wait()
                await asyncio.sleep(DROP_S)
                away = await studio.stream(path, within_s=SOON_S)
                assert (away["id"], away["status"]) == (stream["id"], "active")
                assert away["interrupted_at"] is not None
                process = await studio.publish(kind, path, key["key"])
                began = time.monotonic()
                await asyncio.to_thread(wait_moves, screen, "red", timeout_s=BACK_WITHIN_S)
                took.append(time.monotonic() - began)
                assert (await studio.stream(path, within_s=SOON_S))["code"] == stream["code"]
                on = await asyncio.to_thread(agent.wait_state, "playing")
                assert (on["session_id"], on["code"]) == (answer.json["session_id"], stream["code"])
                await asyncio.sleep(1.0)  # on the air for a moment before the next
    finally:
        print(f"{kind}: {len(took)} of {DROPS} times back, after {sorted(round(each, 2) for each in took)} s")
        if process.returncode is None:
            process.kill()
        await process.wait()


@pytest.mark.parametrize("studio", ["HLS only"], indirect=True)
async def test_the_first_viewer_over_hls_sees_a_picture(studio: Studio, xserver: XServer) -> None:
    """The engine that plays HLS shows a picture as soon as the stream is on."""
    broadcaster = await studio.admin("POST", "/broadcasters", {"name": "one"})
    key = await studio.admin("POST", "/stream-keys", {"broadcaster_id": broadcaster["id"]})
    process = await studio.publish("rtsp", "live/one", key["key"])
    try:
        code = (await studio.stream("live/one"))["code"]
        with Screen(xserver.display) as screen:
            answer = await asyncio.to_thread(studio.agent.call, "POST", "/start?wait=15", {"code": code})
            assert answer.status == 200, answer.content
            await asyncio.to_thread(wait_moves, screen, "red")
        on = await asyncio.to_thread(studio.agent.wait_state, "playing")
        assert on["url"].endswith("/live/one/index.m3u8")
        assert on["engine"] == "vlc"
        print(f"first viewer over HLS: {answer.json['time_to_first_frame']:.1f} s")
    finally:
        process.kill()
        await process.wait()
