"""Sources that send a picture every few seconds: they work that way, and nothing is wrong with them."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.support.agent import Agent
from tests.support.leaks import LeakCheck
from tests.support.media_server import MediaServer
from tests.support.rtsp_server import RtspServer
from tests.support.tools import LOOK_SELDOM_S
from tests.support.xserver import XServer

STALL_TIMEOUT_S = 1
"""A limit below the 2 s from picture to picture: with RTSP it takes one try to learn that."""

WATCHED_S = 5.0


@pytest.fixture(scope="module")
def shared(xserver: XServer, leaks: LeakCheck) -> Iterator[Agent]:
    with Agent(xserver.display, audio__output="none", player__stall_timeout=STALL_TIMEOUT_S) as agent:
        leaks.own_pids(lambda: agent.pids)
        yield agent


@pytest.mark.parametrize("kind", ["mjpeg", "rtsp"])
def test_a_picture_every_two_seconds_plays(
    agent: Agent, media_server: MediaServer, cameras: RtspServer, kind: str
) -> None:
    """It is `playing` between two pictures as well, and is not opened again. The first picture of MJPEG is shown when
    it has come, and not when the second one has."""
    retries = len(agent.log("stream_retried"))
    agent.start({"mjpeg": media_server.url("/mjpeg?every=2"), "rtsp": cameras.url("/red/slow")}[kind])
    stream = agent.wait_state("playing", 15)
    if kind == "mjpeg":
        assert (stream["engine"], stream["time_to_first_frame"] < 2) == ("mpv", True)
        assert len(agent.log("stream_retried")) == retries
    before, until = agent.status()["stream"]["frames_displayed"], time.monotonic() + WATCHED_S
    while time.monotonic() < until:
        stream = agent.status()["stream"]
        assert (stream["state"], stream["attempt"], stream["error"]) == ("playing", 1, None)
        time.sleep(LOOK_SELDOM_S)
    assert stream["frames_displayed"] - before in (2, 3)
