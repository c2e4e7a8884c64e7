"""The screen is never black between two streams."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.agent import Agent
from tests.support.behaviour import Behaviour, Then
from tests.support.leaks import LeakCheck
from tests.support.looking import last_movement, record_switches, wait_moves
from tests.support.media_server import MediaServer
from tests.support.recorder import ScreenRecorder
from tests.support.screen import Screen
from tests.support.xserver import XServer

MISSED_AT_MOST_S = 0.1
"""The longest pause between two looks of the recorder, on a machine that others use too. A gap that a person sees is
longer."""


@pytest.fixture(scope="module")
def shared(xserver: XServer, leaks: LeakCheck) -> Iterator[Agent]:
    with Agent(xserver.display, audio__output="none", player__stall_timeout=20) as agent:
        leaks.own_pids(lambda: agent.pids)
        yield agent


def test_switches_between_kinds_of_streams_show_no_black(
    agent: Agent, xserver: XServer, media_server: MediaServer
) -> None:
    """MP4, HLS, live TS, DASH and MP4 again follow one another with 0 ms of black and nothing else in between."""
    clips = media_server.clips
    order = [
        ("cyan", media_server.file_url(clips.hls())),
        ("green", media_server.url("/live/green.ts")),
        ("magenta", media_server.file_url(clips.dash())),
        ("red", media_server.url("/film/red.mp4")),
        ("green", media_server.url("/live/green.ts")),
        ("cyan", media_server.file_url(clips.hls())),
        ("red", media_server.url("/film/red.mp4")),
        ("green", media_server.url("/film/green.mp4")),
    ]
    agent.start(media_server.url("/film/blue.mp4"))
    recording = record_switches(xserver.display, agent.start, order)
    assert recording.seconds_of("black") == 0
    assert recording.colours() == ["blue", *(colour for colour, _ in order)]
    assert recording.longest_gap_s < MISSED_AT_MOST_S


def test_a_switch_away_from_a_stuck_stream_shows_no_black(
    agent: Agent, xserver: XServer, media_server: MediaServer
) -> None:
    """A live HLS whose segments come with a few bytes a second (libVLC cannot be stopped then) keeps its last picture
    until the next stream's first frame."""
    stuck = agent.start(media_server.url("/live-hls/index.m3u8"))["session_id"]
    with Screen(xserver.display) as screen:
        wait_moves(screen, "red", timeout_s=5)
        media_server.behave("/live-hls/seg", Behaviour(then=Then.TRICKLE))
        last_movement(screen, still_for_s=0.5, timeout_s=15)
        with ScreenRecorder(xserver.display) as recorder:
            agent.start(media_server.url("/film/blue.mp4"))
            wait_moves(screen, "blue")
            assert agent.wait_ended(stuck)["reason"] == "replaced"
            recording = recorder.stop()
    assert recording.colours() == ["red", "blue"]
    assert recording.seconds_of("black") == 0
    assert recording.longest_gap_s < MISSED_AT_MOST_S
