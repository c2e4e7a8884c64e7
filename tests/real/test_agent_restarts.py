"""The agent is killed and started again: what was on is on again, as it was."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.agent import PREFERRED, Agent
from tests.support.clips import Clips
from tests.support.leaks import LeakCheck
from tests.support.looking import last_movement, wait_colour, wait_moves
from tests.support.media_server import MediaServer
from tests.support.screen import Screen
from tests.support.sound import PulseServer
from tests.support.tools import wait_until
from tests.support.xserver import XServer

GREEN, TONE = 880, 660
BACK_S = 5.0
"""The promised time from the start of the daemon to the picture."""


@pytest.fixture(scope="module", params=["vlc", "mpv"])
def shared(request: pytest.FixtureRequest, xserver: XServer, pulse: PulseServer, leaks: LeakCheck) -> Iterator[Agent]:
    settings: dict[str, Any] = {"player__engines": json.dumps({"http": request.param}), "player__stall_timeout": 2}
    with Agent(xserver.display, env=pulse.env, prefix=PREFERRED, **settings) as agent:
        leaks.own_pids(lambda: agent.pids)
        yield agent


def test_a_paused_film_comes_back_paused(
    agent: Agent, screen: Screen, pulse: PulseServer, media_server: MediaServer, clips: Clips
) -> None:
    """A film that was killed while it was paused over another one is on the screen again within 5 s: still, at its
    position, and without a sound. Resumed, it moves and is heard. The one below comes back paused, too."""
    below = agent.start(media_server.url("/film/red.mp4"), position=3)["session_id"]
    agent.wait_state("playing")
    assert agent.call("POST", "/pause").status == 200
    film = agent.start(media_server.file_url(clips.film_mp4("green", 60, GREEN)), interrupt=True, position=20)
    agent.wait_state("playing")
    paused_at = agent.call("POST", "/pause").json["position"]
    agent.kill()  # at once: what was answered holds
    began = time.monotonic()
    with pulse.listen() as listener:
        agent.run(until_spare=False)
        wait_colour(screen, "green", timeout_s=BACK_S)
        assert time.monotonic() - began < BACK_S
        stream = agent.wait_state("paused")
        assert (stream["session_id"], stream["position"]) == (film["session_id"], pytest.approx(paused_at, abs=0.6))
        last_movement(screen, still_for_s=3.0, timeout_s=5)
        stream = agent.status()["stream"]
        assert (stream["state"], stream["attempt"]) == ("paused", 1), "standing still is no stall"
        assert not listener.heard().heard()
        assert agent.call("POST", "/resume").status == 200
        wait_moves(screen, "green")
        wait_until(lambda: GREEN in listener.heard().heard(), timeout_s=5, what="it is heard")
    agent.wait_state("playing")
    agent.stop()
    wait_colour(screen, "red")
    stream = agent.wait_state("paused")
    assert (stream["session_id"], stream["position"]) == (below, pytest.approx(3, abs=1.5))


def test_a_paused_sound_comes_back_paused(agent: Agent, pulse: PulseServer, media_server: MediaServer) -> None:
    """Nothing proves that it plays, because nothing is to be heard until it is resumed."""
    sound = agent.start(media_server.url("/tone.ogg"))["session_id"]
    agent.wait_state("playing")
    assert agent.call("POST", "/pause").status == 200
    agent.kill()
    with pulse.listen() as listener:
        agent.run(until_spare=False)
        assert agent.wait_state("paused")["session_id"] == sound
        time.sleep(1.0)  # a tone that is played is heard within 0.3 s
        assert not listener.heard().heard()
        assert agent.call("POST", "/resume").status == 200
        wait_until(lambda: TONE in listener.heard().heard(), timeout_s=5, what="it is heard")
