"""From /start to the pixels, on the real libVLC."""

from __future__ import annotations

from tests.support.agent import Agent
from tests.support.media_server import MediaServer
from tests.support.screen import Screen
from tests.support.xserver import XServer


def test_a_film_is_on_the_screen(xserver: XServer, media_server: MediaServer) -> None:
    """A start puts the picture on the screen, and a stop takes it off."""
    with Agent(xserver.display) as agent, Screen(xserver.display) as screen:
        answer = agent.start(media_server.url("/film/green.mp4"))
        assert answer["status"] == "success"
        assert screen.colour_at_centre() == "green"
        stream = agent.wait_state("playing")
        assert stream["session_id"] == answer["session_id"]
        assert agent.stop()["message"] == "Stream stopped"
        assert screen.colour_at_centre() == "black"
        assert agent.status()["status"] == "idle"
