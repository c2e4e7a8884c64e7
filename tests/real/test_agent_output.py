"""The way libVLC draws, told by the libraries that its process has loaded, whatever it was asked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.agent import Agent
from tests.support.media_server import MediaServer
from tests.support.xserver import XServer

_GL = "libgl_plugin.so"
_X11 = "libxcb_x11_plugin.so"


@pytest.mark.parametrize(("output", "loaded", "other"), [("x11", _X11, _GL), ("gl", _GL, _X11)])
def test_libvlc_draws_as_it_was_told(
    xserver: XServer, media_server: MediaServer, output: str, loaded: str, other: str
) -> None:
    """It draws in the window of the stage, where libVLC forgets what its arguments asked for."""
    with Agent(xserver.display, player__output=output) as agent:
        agent.start(media_server.url("/film.mp4"))
        libraries = Path(f"/proc/{agent.player_pid()}/maps").read_text()
        player = agent.health()["checks"]["player"]["engines"]["vlc"]
        assert player["features"]["output"] == output
    assert (loaded in libraries, other in libraries) == (True, False)
