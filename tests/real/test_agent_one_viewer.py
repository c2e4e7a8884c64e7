"""A source that serves one viewer at a time: what is on must not keep out what is to take its place."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.agent import Agent
from tests.support.leaks import LeakCheck
from tests.support.looking import wait_colour, wait_moves
from tests.support.media_server import MediaServer
from tests.support.recorder import ScreenRecorder
from tests.support.screen import Screen
from tests.support.xserver import XServer


@pytest.fixture(scope="module")
def shared(xserver: XServer, leaks: LeakCheck) -> Iterator[Agent]:
    with Agent(xserver.display, audio__output="none", player__start_timeout=5) as agent:
        leaks.own_pids(lambda: agent.pids)
        yield agent


@pytest.mark.parametrize("refusal", ["403", "503", "wait"])
@pytest.mark.parametrize("interrupt", [False, True])
def test_another_channel_of_a_source_for_one_viewer_takes_the_place_of_the_first(
    agent: Agent, screen: Screen, xserver: XServer, media_server: MediaServer, refusal: str, interrupt: bool
) -> None:
    """Nothing is black: the last picture of the first stays meanwhile. What was interrupted comes back afterwards."""
    first = agent.start(media_server.url(f"/one-viewer/{refusal}/red.ts"))["session_id"]
    wait_moves(screen, "red")
    with ScreenRecorder(xserver.display) as recorder:
        agent.start(media_server.url(f"/one-viewer/{refusal}/green.ts"), interrupt=interrupt)
        wait_moves(screen, "green")
        assert recorder.stop().colours() == ["red", "green"]
    status = agent.status()
    assert (status["stream"]["attempt"], status["on_screen"]) == (1, status["stream"]["session_id"])
    if interrupt:
        assert [one["session_id"] for one in status["interrupted"]] == [first]
        agent.stop()
        wait_moves(screen, "red", timeout_s=8)
        assert agent.status()["stream"]["session_id"] == first
    else:
        assert (status["last"]["session_id"], status["last"]["reason"]) == (first, "replaced")


def test_what_made_room_comes_back_when_the_other_cannot_be_played(
    agent: Agent, screen: Screen, media_server: MediaServer
) -> None:
    """The picture of what made room stays until then."""
    first = agent.start(media_server.url("/one-viewer/503/red.ts"))["session_id"]
    wait_moves(screen, "red")
    problem = agent.start(media_server.url("/status/503"), expect=502)
    assert problem["code"] == "media_network"
    wait_moves(screen, "red", timeout_s=8)
    stream = agent.status()["stream"]
    assert (stream["session_id"], stream["session_state"]) == (first, "active")


def test_another_host_makes_no_room(agent: Agent, screen: Screen, media_server: MediaServer) -> None:
    """The current stream goes on: it has nothing to do with the refusal."""
    agent.start(media_server.url("/one-viewer/503/red.ts"))
    wait_moves(screen, "red")
    elsewhere = media_server.url("/status/403").replace("127.0.0.1", "localhost")
    assert agent.start(elsewhere, expect=502)["code"] == "media_unauthorized"
    wait_colour(screen, "red")
    assert (
        agent.log("source_slot_freed") == []
        or agent.log("source_slot_freed")[-1]["for_session"] != agent.status()["last"]["session_id"]
    )
    assert agent.status()["stream"]["session_state"] == "active"
