"""The way from a code to the pixels: the whole daemon, a real central API, a real RTSP server and HLS."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

from aiohttp import ClientSession

from agent.reporting.central.enrol import enrol
from tests.central.support.mediamtx import free_port
from tests.central.support.process import central_process
from tests.central.support.service import Client
from tests.reporting.support.publisher import publish
from tests.support.agent import Agent
from tests.support.clips import Clips
from tests.support.leaks import LeakCheck
from tests.support.looking import wait_colour, wait_moves
from tests.support.media_server import MediaServer
from tests.support.rtsp_server import RtspServer
from tests.support.screen import Screen
from tests.support.xserver import XServer

CAMERA, HLS = "red/private", "live-hls"


async def test_publishers_are_joined_by_code_and_by_id(
    xserver: XServer, media_server: MediaServer, clips: Clips, leaks: LeakCheck, tmp_path: Path
) -> None:
    """A camera over RTSP whose server asks for the code, which was typed on a command line; over it, by its id, one
    that is there over HLS only. When each ends at the central API it has finished: the camera comes back, and then it
    is black, although both still send."""
    settings: dict[str, Any] = {
        "CAST_CENTRAL_MEDIAMTX__RTSP_URL": f"rtsp://127.0.0.1:{(port := free_port())}",
        "CAST_CENTRAL_MEDIAMTX__HLS_URL": media_server.url().rstrip("/"),
    }
    with central_process(f"sqlite:///{tmp_path / 'central.db'}", **settings) as central, leaks.adopting():
        key, token = central.command("key", "add", "test"), central.command("enrol")
        agent = Agent(xserver.display, audio__output="none")
        await enrol(central.url, token, folder=agent.folder / "state", name="Hall")
        cameras = RtspServer(clips)
        async with ClientSession(central.url) as session:
            camera, other = await publish(Client(session, key), CAMERA), await publish(Client(session, key), HLS)
            try:
                cameras.start(port=port, viewers={"code": camera.code})
                with agent, Screen(xserver.display) as screen:
                    typed = f"{camera.code[:3]}-{camera.code[3:]}".lower()
                    done = subprocess.run(
                        [sys.executable, "-m", "agent.cli", "start", "--code", typed, "--wait"],
                        env=agent.env,
                        capture_output=True,
                        text=True,
                        timeout=60,
                        check=False,
                    )
                    assert done.stdout.startswith("On the screen after"), done
                    wait_moves(screen, "red")
                    stream = agent.wait_state("playing")
                    assert (stream["code"], stream["engine"]) == (camera.code, "mpv")
                    assert stream["url"] == f"rtsp://127.0.0.1:{port}/{CAMERA}"

                    wish = {"stream_id": other.stream_id, "interrupt": True}
                    answer = agent.call("POST", "/start?wait=15", wish)
                    assert answer.status == 200, answer.content
                    stream = agent.wait_state("playing")
                    assert (stream["stream_id"], stream["engine"]) == (other.stream_id, "vlc")
                    assert media_server.requests(f"/{HLS}/index.m3u8")[-1].query == f"code={other.code}"
                    await other.stop()
                    last = agent.wait_ended(answer.json["session_id"])
                    assert (last["reason"], last["error"]) == ("finished", None)

                    wait_colour(screen, "red", timeout_s=10)
                    agent.wait_state("playing")
                    session_id = agent.status()["stream"]["session_id"]
                    await camera.stop()
                    assert agent.wait_ended(session_id)["reason"] == "finished"
                    wait_colour(screen, "black")
                    problem = agent.call("POST", "/start", {"code": camera.code})
                    assert (problem.status, problem.json["code"]) == (404, "stream_not_found")
            finally:
                cameras.stop()


DROP_S = 2.0
BACK_WITHIN_S = 3.0
"""The time that the documentation promises for both."""


async def test_a_publisher_that_drops_is_on_the_screen_again(
    xserver: XServer, clips: Clips, leaks: LeakCheck, tmp_path: Path
) -> None:
    """Its camera has no power for a moment: its last picture stays, and it moves again within 3 s of its return, in the
    same session and under the same code."""
    settings: dict[str, Any] = {"CAST_CENTRAL_MEDIAMTX__RTSP_URL": f"rtsp://127.0.0.1:{(port := free_port())}"}
    with central_process(f"sqlite:///{tmp_path / 'central.db'}", **settings) as central, leaks.adopting():
        key, token = central.command("key", "add", "test"), central.command("enrol")
        agent = Agent(xserver.display, audio__output="none")
        await enrol(central.url, token, folder=agent.folder / "state", name="Hall")
        cameras = RtspServer(clips)
        async with ClientSession(central.url) as session:
            camera = await publish(Client(session, key), "red")
            code = camera.code
            try:
                cameras.start(port=port, viewers={"code": code})
                with agent, Screen(xserver.display) as screen:
                    answer = await asyncio.to_thread(agent.call, "POST", "/start?wait=15", {"code": code})
                    assert answer.status == 200, answer.content
                    await asyncio.to_thread(wait_moves, screen, "red")
                    cameras.kill()
                    await camera.hang_up()
                    await asyncio.sleep(DROP_S)
                    assert screen.colour_at_centre() == "red"
                    await asyncio.to_thread(cameras.start, port=port, viewers={"code": code})
                    await camera.go_on_air()
                    await asyncio.to_thread(wait_moves, screen, "red", timeout_s=BACK_WITHIN_S)
                    stream = await asyncio.to_thread(agent.wait_state, "playing")
                    assert (stream["session_id"], stream["code"]) == (answer.json["session_id"], code)
                    assert camera.code == code
            finally:
                cameras.stop()
