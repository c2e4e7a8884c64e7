"""Failures of media, and the messages to people: a code of its own and a sentence that says what to do."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pytest

from tests.support.agent import PREFERRED, Agent
from tests.support.behaviour import Behaviour, Then
from tests.support.leaks import LeakCheck
from tests.support.looking import last_movement, wait_moves
from tests.support.media_server import MediaServer
from tests.support.screen import Screen
from tests.support.sockets import free_udp_port
from tests.support.xserver import XServer

START_TIMEOUT_S = 2
STALL_TIMEOUT_S = 2
# What libVLC still shows once its input waits, which it counts as standing still: 0.1 s of "low-latency", the pictures
# in its decoder, and the age of its counts. 0.5 s at most was measured beside busy cores.
LIBVLC_BUFFER_S = 1.0


@pytest.fixture(scope="module")
def shared(xserver: XServer, leaks: LeakCheck) -> Iterator[Agent]:
    with Agent(
        xserver.display,
        audio__output="none",
        player__start_timeout=START_TIMEOUT_S,
        player__stall_timeout=STALL_TIMEOUT_S,
        stream__retry=False,
        prefix=PREFERRED,
    ) as agent:
        leaks.own_pids(lambda: agent.pids)
        yield agent


@pytest.fixture
def agent(shared: Agent, media_server: MediaServer) -> Iterator[Agent]:
    yield shared
    shared.stop(all=True)
    assert "unknown error" not in str(shared.log()).lower()


@dataclass(frozen=True)
class Case:
    url: str
    """A path of the media server, or a whole URL."""
    code: str
    words: str
    """Part of the sentence that people get."""
    at_most_s: float = 1.5
    """The longest time until people get it; a reason that libVLC knows comes in some 0.1 s."""


TIMEOUT_S = START_TIMEOUT_S + 1.0

CASES = [
    Case("/status/404", "media_not_found", "answered 404: there is nothing at this address"),
    Case("/status/410", "media_not_found", "answered 410"),
    Case("/status/401", "media_unauthorized", "answered 401: check user name and password"),
    Case("/status/403", "media_unauthorized", "answered 403"),
    Case("/status/500", "media_network", "answered 500: the server has an error"),
    Case("/status/503", "media_network", "answered 503"),
    Case("/redirect?to=/status/404", "media_not_found", "answered 404"),
    Case("/redirect-loop", "media_network", "redirects in a loop"),
    Case("http://127.0.0.1:1/film.mp4", "media_network", "refused the connection"),
    Case("rtsp://127.0.0.1:1/camera", "media_network", "refused the connection"),
    Case("http://no-such-host.invalid/film.mp4", "media_network", "cannot be resolved"),
    Case("https://127.0.0.1:{port}/film.mp4", "media_network", "does not speak TLS", at_most_s=2),
    Case("/garbage", "media_unsupported", "not video, audio or a picture"),
    Case("/page.html", "media_unsupported", "sent a web page: to show it, add"),
    Case("/truncated.mp4", "media_unsupported", "not video, audio or a picture"),
    Case("/live.ts?then=end", "media_unsupported", "empty answer"),
    Case("/undecodable.mp4", "media_decode", "This libVLC has no decoder for zz99. mpv: This mpv has no decoder"),
    Case("/hls-missing/index.m3u8", "media_not_found", "answered 404"),
    Case("/list.m3u?entry=file:///etc/passwd", "media_forbidden", "media_folders"),
    Case("/never", "media_network", "is the source on and sending?", at_most_s=TIMEOUT_S),
    Case("udp://127.0.0.1:{silent_port}", "media_network", "is the source on", at_most_s=TIMEOUT_S),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.url)
def test_a_failure_has_its_code_and_its_sentence(
    agent: Agent, screen: Screen, media_server: MediaServer, case: Case
) -> None:
    """The waiting caller, /status and the log are told the same; nothing of the stream was seen."""
    url = case.url.format(port=media_server.port, silent_port=free_udp_port())
    problem = agent.start(media_server.url(url) if url.startswith("/") else url, expect=502)
    assert (problem["code"], case.words in problem["detail"]) == (case.code, True), problem["detail"]
    last = agent.status()["last"]
    assert (last["session_id"], last["reason"]) == (problem["session_id"], "failed")
    assert last["error"] == {"code": case.code, "message": problem["detail"]}
    assert _seconds(last) < case.at_most_s
    logged = agent.log("stream_ended")[-1]
    assert (logged["session_id"], logged["code"], logged["message"]) == (
        problem["session_id"],
        case.code,
        problem["detail"],
    )
    assert agent.status()["status"] == "idle"
    assert screen.colour_at_centre() == "black"


def test_a_start_that_never_comes_leaves_the_film_on(agent: Agent, screen: Screen, media_server: MediaServer) -> None:
    """While a server does not answer, and after the wait for it is over, the film goes on."""
    film = agent.start(media_server.url("/film/red.mp4"))["session_id"]
    never = agent.start(media_server.url("/never"), wait=None)["session_id"]
    wait_moves(screen, "red")
    assert agent.wait_ended(never, TIMEOUT_S)["error"]["code"] == "media_network"
    wait_moves(screen, "red")
    assert agent.status()["on_screen"] == film


def test_a_stream_that_stands_still_is_buffering_and_then_stalled(
    agent: Agent, screen: Screen, media_server: MediaServer
) -> None:
    """Its last picture stays while there is hope, `playing` is not claimed of it, and after stall_timeout it ends."""
    # At four times its rate: libVLC goes back to the beginning for the sound, which it cannot while its source stalls.
    url = media_server.url("/stall.mp4?rate=40000")
    session_id = agent.start(url, quality="low-latency")["session_id"]
    agent.wait_state("playing")
    wait_moves(screen, "red")
    still_since = last_movement(screen, still_for_s=0.4, timeout_s=8)
    agent.wait_state("buffering", STALL_TIMEOUT_S)
    assert screen.colour_at_centre() == "red"
    last = agent.wait_ended(session_id, STALL_TIMEOUT_S + 2)
    assert STALL_TIMEOUT_S - LIBVLC_BUFFER_S < time.monotonic() - still_since < STALL_TIMEOUT_S + 1.5
    assert (last["reason"], last["error"]["code"]) == ("failed", "media_stalled")
    assert "stood still for 2 s" in last["error"]["message"]
    assert screen.colour_at_centre() == "black"


def test_a_stream_that_goes_on_in_time_is_not_ended(agent: Agent, screen: Screen, media_server: MediaServer) -> None:
    """A source that pauses for less than stall_timeout is `buffering` meanwhile, and `playing` again afterwards."""
    agent.start(media_server.url("/live.ts"), quality="low-latency")
    agent.wait_state("playing")
    media_server.behave("/live.ts", Behaviour(then=Then.HOLD))
    last_movement(screen, still_for_s=0.4, timeout_s=5)
    agent.wait_state("buffering", STALL_TIMEOUT_S)
    media_server.behave("/live.ts", Behaviour())
    wait_moves(screen, "red", timeout_s=5)
    agent.wait_state("playing")


def test_a_film_that_breaks_off_says_where(agent: Agent, screen: Screen, media_server: MediaServer) -> None:
    """A server that closes the connection in the middle of a film is not taken for the film's end."""
    session_id = agent.start(media_server.url("/cut.mp4"))["session_id"]
    wait_moves(screen, "red")
    last = agent.wait_ended(session_id)
    assert (last["reason"], last["error"]["code"]) == ("failed", "media_network")
    assert "broke off the stream at" in last["error"]["message"]
    assert "of 10 s" in last["error"]["message"]


def test_a_live_hls_that_can_be_read_no_more_broke_off(agent: Agent, screen: Screen, media_server: MediaServer) -> None:
    """Nothing live finishes without its end mark: a server that takes its playlist away has broken it off."""
    session_id = agent.start(media_server.url("/live-hls/index.m3u8"))["session_id"]
    wait_moves(screen, "red", timeout_s=5)
    media_server.behave("/live-hls/index", Behaviour(status=503))
    last = agent.wait_ended(session_id, 20)
    assert (last["reason"], last["error"]["code"]) == ("failed", "media_network")
    assert "answered 503" in last["error"]["message"]


def test_a_live_playlist_with_a_lost_segment_goes_on(
    xserver: XServer, screen: Screen, media_server: MediaServer
) -> None:
    """A segment that is not there, once, is no end: it is opened again, and the picture moves in the same session."""
    with Agent(xserver.display, audio__output="none") as agent:
        session_id = agent.start(media_server.url("/live-hls/index.m3u8"))["session_id"]
        agent.wait_state("playing")
        media_server.routes.lose_segment()
        agent.wait_until(lambda: agent.log("stream_retried"), 25, "libVLC has given up, and it is tried again")
        assert agent.wait_state("playing")["session_id"] == session_id
        wait_moves(screen, "red", timeout_s=5)


def test_a_live_hls_that_ends_is_over(agent: Agent, screen: Screen, media_server: MediaServer) -> None:
    """A playlist that gets the end mark ends the stream, whether or not it is seen to its last second."""
    session_id = agent.start(media_server.url("/live-hls/index.m3u8"))["session_id"]
    wait_moves(screen, "red", timeout_s=5)
    media_server.routes.end_live_hls()
    last = agent.wait_ended(session_id, 25)
    assert (last["reason"], last["error"]) == ("finished", None)


def _seconds(session: Any) -> float:
    ended = datetime.fromisoformat(session["ended_at"])
    return (ended - datetime.fromisoformat(session["started_at"])).total_seconds()
