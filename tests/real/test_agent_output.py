"""The way libVLC draws, told by the libraries that its process has loaded, whatever it was asked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.player.machine import output_for
from agent.types import VideoOutput
from tests.support.agent import Agent
from tests.support.media_server import MediaServer
from tests.support.xserver import XServer

_GL = "libgl_plugin.so"
_X11 = "libxcb_x11_plugin.so"


@pytest.mark.parametrize("output", ["x11", "gl", "auto"])
def test_libvlc_draws_as_it_was_told(xserver: XServer, media_server: MediaServer, output: str) -> None:
    """It draws in the window of the stage, where libVLC forgets what its arguments asked for; by itself with X11 where
    the machine has no GPU."""
    drawn = output_for(VideoOutput(output))
    loaded, other = (_X11, _GL) if drawn is VideoOutput.X11 else (_GL, _X11)
    with Agent(xserver.display, player__output=output) as agent:
        agent.start(media_server.url("/film.mp4"))
        libraries = Path(f"/proc/{agent.player_pid()}/maps").read_text()
        player = agent.health()["checks"]["player"]["engines"]["vlc"]
        assert player["features"]["output"] == drawn
    assert (loaded in libraries, other in libraries) == (True, False)
