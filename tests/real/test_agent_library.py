"""The way from an upload to the pixels: the whole daemon, and a real central API with a library."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from aiohttp import ClientSession

from agent.reporting.central.enrol import enrol
from tests.central.library.conftest import Shelf
from tests.central.support.process import central_process
from tests.central.support.service import Client
from tests.support.agent import Agent
from tests.support.clips import Clips
from tests.support.leaks import LeakCheck
from tests.support.looking import wait_colour
from tests.support.screen import Screen
from tests.support.tools import LOOK_EVERY_S
from tests.support.xserver import XServer


async def test_a_film_and_a_picture_of_the_library_are_shown(
    xserver: XServer, clips: Clips, leaks: LeakCheck, tmp_path: Path
) -> None:
    """The command and the API show them, and what signs their addresses is in no log. The film comes to its end: one
    view, completed. It is kept, and plays from its file once the central API is gone. The box tells its engines."""
    folder = tmp_path / "library"
    central_url = f"sqlite:///{tmp_path / 'central.db'}"
    with central_process(central_url, CAST_CENTRAL_LIBRARY__DIR=str(folder)) as central, leaks.adopting():
        key, token = central.command("key", "add", "test"), central.command("enrol")
        agent = Agent(xserver.display, audio__output="none")
        await enrol(central.url, token, folder=agent.folder / "state", name="Hall")
        async with ClientSession(central.url) as session:
            shelf = Shelf(Client(session, key), folder)
            film = await shelf.checked(clips.film_mp4().read_bytes(), title="Fire drill")
            picture = await shelf.checked(clips.image("png").read_bytes(), type="image/png")
            assert (film["state"], picture["state"]) == ("ready", "ready"), (film.body, picture.body)
            with agent, Screen(xserver.display) as screen:
                done = subprocess.run(
                    [sys.executable, "-m", "agent.cli", "start", "--video", film["id"], "--position", "7", "--wait"],
                    env=agent.env,
                    capture_output=True,
                    text=True,
                    timeout=60,
                    check=False,
                )
                assert done.stdout.startswith("On the screen after"), done
                wait_colour(screen, "red")
                stream = agent.wait_state("playing")
                assert (stream["title"], stream["video_id"]) == ("Fire drill", film["id"])
                agent.wait_ended(stream["session_id"])
                engines = await _told_engines(shelf.admin)
                assert {"vlc", "mpv", "pillow"} <= engines.keys()
                assert {"aac", "h264", "hevc"} <= set(engines["vlc"]["codecs"])
                assert (engines["pillow"]["codecs"], engines["mpv"]["codecs"]) == ([], engines["vlc"]["codecs"])
                async with asyncio.timeout(10):
                    path = f"/api/v1/videos/{film['id']}/stats"
                    while not (total := (await shelf.admin("GET", path))["total"])["views"]:
                        await asyncio.sleep(LOOK_EVERY_S)
                assert (total["views"], total["completed"]) == (1, 1)
                assert 1 < total["seconds"] < 5, total
                answer = agent.call("POST", "/start?wait=15", {"video_id": picture["id"]})
                assert answer.status == 200, answer.content
                assert agent.wait_state("playing")["media_type"] == "image"
                agent.wait_until(lambda: _is_kept(agent, film["id"]), 15, "the film is kept")
                central.end(signal.SIGKILL)
                answer = agent.call("POST", "/start?wait=15", {"video_id": film["id"]})
                assert answer.status == 200, answer.content
                wait_colour(screen, "red")
                stream = agent.wait_state("playing")
                assert (stream["title"], stream["cached"]) == ("Fire drill", True)
                assert "token=" not in str(agent.log()).replace("token=***", "")
        assert "token=" not in central.text()


async def _told_engines(admin: Client) -> dict[str, Any]:
    """What the box tells of its engines, by name, once it knows what they decode."""
    async with asyncio.timeout(15):  # a state is compared with the last one every 5 s
        while True:
            [box] = (await admin("GET", "/api/v1/devices"))["items"]
            state = (await admin("GET", f"/api/v1/devices/{box['id']}"))["state"]
            if state and all(engine["codecs"] is not None for engine in state["engines"]):
                return {engine["name"]: engine for engine in state["engines"]}
            await asyncio.sleep(LOOK_EVERY_S)


def _is_kept(agent: Agent, video_id: str) -> bool:
    videos = agent.call("GET", "/cache").json["videos"]
    return any(video["id"] == video_id and video["complete"] for video in videos)
