"""Presets, hooks and recent addresses of the real agent, from its configuration to the screen."""

from __future__ import annotations

import signal
import subprocess
import sys

from tests.support.agent import Agent
from tests.support.media_server import MediaServer
from tests.support.xserver import XServer

SOON_S = 10.0


def preset(url: str, **more: str) -> str:
    fields = {"id": "front-door", "url": url, "title": "Front door"} | more
    return "[[preset]]\n" + "".join(f'{name} = "{value}"\n' for name, value in fields.items())


def test_the_player_of_a_preset_is_ready(xserver: XServer) -> None:
    """The first start of a camera does not wait for mpv."""
    with Agent(xserver.display, config=preset("rtsp://127.0.0.1:1/door"), audio__output="none") as agent:
        engines = agent.health()["checks"]["player"]["engines"]
        agent.wait_until(lambda: agent.health()["checks"]["player"]["engines"]["mpv"]["spare_ready"], SOON_S, "mpv")
        assert engines.keys() >= {"mpv", "vlc"}


def test_a_hook_puts_a_preset_on_the_screen(xserver: XServer, media_server: MediaServer) -> None:
    """A mistake in a preset stops nothing, and a reload corrects it; what was saved and played outlives a kill."""
    film = media_server.url("/film/red.mp4")
    with Agent(xserver.display, config=preset(film, duraton="5"), audio__output="none") as agent:
        command = [sys.executable, "-m", "agent.cli", "hook", "add", "bell", "--preset", "front-door"]
        done = subprocess.run(command, env=agent.env, capture_output=True, text=True, timeout=SOON_S, check=True)
        hook = "/hook/" + done.stdout.strip().rpartition("/")[2]
        broken = agent.call("GET", hook)
        assert (broken.status, broken.json["code"]) == (409, "preset_broken")
        (agent.folder / "config.toml").write_text(preset(film))
        assert agent.process is not None
        agent.process.send_signal(signal.SIGHUP)
        agent.wait_until(lambda: agent.call("GET", hook).status == 200, SOON_S, "the reload is taken up")
        agent.wait_state("playing")
        assert agent.status()["stream"]["title"] == "Front door"
        assert agent.call("POST", "/presets", {"id": "own", "url": film}).status == 201
        agent.wait_until(lambda: agent.call("GET", "/recent").json["recent"], SOON_S, "it is noted")

        agent.kill()
        agent.run()
        assert [one["id"] for one in agent.call("GET", "/presets").json["presets"]] == ["front-door", "own"]
        (played,) = agent.call("GET", "/recent").json["recent"]
        assert agent.call("POST", "/start", {"recent": played["id"]}).json["status"] == "success"
        assert hook.rpartition("/")[2] not in repr(agent.log())
