"""Quality, by what was fetched and by what is seen."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

import pytest

from tests.support.agent import PATIENT, PREFERRED, Agent
from tests.support.behaviour import Behaviour, Then
from tests.support.leaks import LeakCheck
from tests.support.looking import last_movement, wait_colour, wait_moves
from tests.support.media_server import MediaServer
from tests.support.recorder import ScreenRecorder
from tests.support.screen import Screen
from tests.support.sound import PulseServer
from tests.support.xserver import XServer

COLOUR_OF = {360: "red", 720: "green", 1080: "blue"}
"""The colour of each rendition of the HLS clip."""
BEGINNING = 2
"""The segments of each rendition that FFmpeg reads to know what it is, in whatever order."""
NEAR_S = 0.4
"""The seconds that a live stream still has to show, with `low-latency`, when its source falls silent."""
SOONER_S = 0.3
"""The seconds by which it moves sooner with `low-latency`."""


@pytest.fixture(scope="module", params=["vlc", "mpv"])
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def shared(xserver: XServer, pulse: PulseServer, leaks: LeakCheck, engine: str) -> Iterator[Agent]:
    settings = PATIENT | {"player__engines": f'{{"http": "{engine}"}}', "player__stall_timeout": 10}
    with Agent(xserver.display, env=pulse.env, prefix=PREFERRED, **settings) as agent:
        leaks.own_pids(lambda: agent.pids)
        yield agent


@pytest.mark.parametrize(("quality", "height"), [("720p", 720), ("1080p", 1080)])
def test_a_quality_is_there_from_the_first_picture_on(
    agent: Agent,
    engine: str,
    screen: Screen,
    xserver: XServer,
    pulse: PulseServer,
    media_server: MediaServer,
    quality: str,
    height: int,
) -> None:
    """Only that rendition is seen and heard, from its beginning, and only its segments are fetched; mpv also reads the
    beginning of each to know what it is."""
    with ScreenRecorder(xserver.display) as recorder:
        agent.start(media_server.file_url(media_server.clips.hls_variants()), quality=quality)
        wait_colour(screen, COLOUR_OF[height])
        stream = agent.wait_state("playing")
        agent.wait_until(lambda: _fetched(media_server, f"/{height}p/seg3"), 8, "most of it is fetched")
        recording = recorder.stop()
    assert pulse.record(0.8).heard() == {440}
    assert agent.status()["stream"]["position"] < 8
    assert (stream["engine"], stream["quality"]) == (engine, quality)
    assert recording.colours() == ["black", COLOUR_OF[height]]
    assert set(_heights(media_server, since=0 if engine == "vlc" else BEGINNING)) == {height}


@pytest.mark.parametrize("quality", ["auto", "1080p"])
def test_a_film_goes_back_to_its_beginning(
    agent: Agent, pulse: PulseServer, media_server: MediaServer, quality: str
) -> None:
    """It goes on from there with its sound, though that begins before its picture, and so does one that begins
    there."""
    url = media_server.file_url(media_server.clips.hls_variants())
    session = agent.start(url, quality=quality, position=0.01)["session_id"]
    agent.wait_until(lambda: (agent.status()["stream"]["position"] or 0) > 2, 8, "it is under way")
    assert agent.call("POST", "/seek", {"position": 0}).status == 200
    agent.wait_until(lambda: 0.5 < agent.status()["stream"]["position"] < 2, 8, "it goes on from its beginning")
    stream = agent.wait_state("playing")
    assert stream["session_id"] == session
    assert pulse.record(0.8).heard() == {440}


def test_auto_begins_low_and_goes_up(agent: Agent, engine: str, screen: Screen, media_server: MediaServer) -> None:
    """The first segment is the lowest rendition's; on a network as fast as this one a higher one follows."""
    if engine == "mpv":
        pytest.skip("mpv takes the highest and stays with it")
    agent.start(media_server.file_url(media_server.clips.hls_variants()))
    assert screen.colour_at_centre() == "red"
    agent.wait_until(lambda: len(set(_heights(media_server))) > 1, 8, "another rendition is fetched")
    heights = _heights(media_server)
    assert heights[0] == 360
    assert max(heights) > 360


def test_low_latency_is_nearer_to_live(agent: Agent, screen: Screen, media_server: MediaServer) -> None:
    """A picture that is nearer to live has less left to show once the source falls silent: less than 0.4 s with
    `low-latency`, where `auto` keeps 1 s of it (mpv 0.7 s), and it plays that much sooner."""
    usual_s, usual_behind_s = _watched(agent, screen, media_server, "auto")
    until_playing_s, behind_s = _watched(agent, screen, media_server, "low-latency")
    if behind_s >= NEAR_S or until_playing_s >= usual_s - SOONER_S:  # a busy machine adds to both, and takes from none
        until_playing_s, behind_s = _watched(agent, screen, media_server, "low-latency")
    assert behind_s < NEAR_S < 0.55 < usual_behind_s
    assert until_playing_s < usual_s - SOONER_S


def _watched(agent: Agent, screen: Screen, media_server: MediaServer, quality: str) -> tuple[float, float]:
    """Seconds until a live stream moves, and those that it still shows after its source fell silent."""
    media_server.reset()
    agent.wait_for_spare()
    began = time.monotonic()
    agent.start(media_server.url("/live/green.ts"), quality=quality)
    wait_moves(screen, "green")
    until_playing_s = time.monotonic() - began
    agent.wait_state("playing")
    media_server.behave("/live/green.ts", Behaviour(then=Then.HOLD))
    silent_since = time.monotonic()
    behind_s = last_movement(screen, still_for_s=0.7, timeout_s=6) - silent_since
    agent.stop()
    return until_playing_s, behind_s


def _fetched(media_server: MediaServer, name: str) -> bool:
    return any(name in request.path for request in media_server.requests("/media/hls-variants"))


def _heights(media_server: MediaServer, *, since: int = 0) -> list[int]:
    """The heights of the segments fetched so far, in their order, without those before segment number `since`."""
    paths = [request.path for request in media_server.requests("/media/hls-variants") if request.path.endswith(".ts")]
    found = [re.search(r"/(\d+)p/seg(\d+)\.ts$", path) for path in paths]
    return [int(match[1]) for match in found if match is not None and int(match[2]) >= since]
