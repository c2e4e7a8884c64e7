"""A picture that stands because there is no newer one, and one that froze: told apart, with both players."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.support.agent import Agent
from tests.support.clips import Clips
from tests.support.looking import last_movement, wait_colour
from tests.support.media_server import MediaServer
from tests.support.screen import Screen
from tests.support.sound import PulseServer
from tests.support.tools import LOOK_EVERY_S
from tests.support.xserver import XServer

STALL_TIMEOUT_S = 2.0
NOTICED_S = STALL_TIMEOUT_S + 1.0
BUSY_S = 1.0
"""For a machine on which other tests run."""


@pytest.fixture
def agent(engine: str, xserver: XServer, pulse: PulseServer) -> Iterator[Agent]:
    engines = f'{{"http": "{engine}"}}'
    with Agent(xserver.display, env=pulse.env, player__engines=engines, player__stall_timeout=STALL_TIMEOUT_S) as agent:
        yield agent


@pytest.mark.parametrize(("engine", "muted"), [("vlc", False), ("mpv", True)])
def test_slides_play_and_a_frozen_film_does_not(
    agent: Agent, xserver: XServer, media_server: MediaServer, clips: Clips, muted: bool
) -> None:
    """A slide stands for twice the stall_timeout, also without a sound, and nothing is opened anew; a film whose source
    stops in the middle is noticed in time."""
    with Screen(xserver.display) as screen:
        agent.start(media_server.file_url(clips.slides_mp4()), muted=muted)
        wait_colour(screen, "magenta")
        agent.wait_state("playing", timeout_s=3)
        until = time.monotonic() + 2.5 * STALL_TIMEOUT_S
        while time.monotonic() < until:
            stream = agent.status()["stream"]
            assert (stream["state"], stream["attempt"]) == ("playing", 1)
            time.sleep(LOOK_EVERY_S)
        film = clips.film_mp4("green", 60, 880)
        agent.start(f"{media_server.file_url(film)}?then=hold&after_bytes={film.stat().st_size // 10}", muted=muted)
        still_since = last_movement(screen, still_for_s=1.0, timeout_s=20)
        agent.wait_until(lambda: agent.status()["stream"]["attempt"] > 1, 10, "it is noticed")
        assert time.monotonic() - still_since < NOTICED_S + BUSY_S
        assert agent.status()["stream"]["error"]["code"] == "media_stalled"
