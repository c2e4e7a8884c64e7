"""Starting, replacing and stopping, by what is on the screen and by the processes behind it."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

import pytest

from tests.support.agent import Agent
from tests.support.leaks import LeakCheck
from tests.support.looking import wait_colour, wait_moves
from tests.support.media_server import MediaServer
from tests.support.recorder import ScreenRecorder
from tests.support.screen import Screen
from tests.support.xserver import XServer

TOLERANCE_S = 0.5
"""The tolerance of a duration."""
STALL_TIMEOUT_S = 4.0
SLOW_S = 0.8
"""The time until a source answers."""
STILL_S = 0.5
"""A film never stands for longer than that and the longest pause of the recorder, on a busy machine."""


@pytest.fixture(scope="module")
def shared(xserver: XServer, leaks: LeakCheck) -> Iterator[Agent]:
    timeouts: dict[str, Any] = {"player__start_timeout": 8, "player__stall_timeout": STALL_TIMEOUT_S}
    with Agent(xserver.display, audio__output="none", **timeouts) as agent:
        leaks.own_pids(lambda: agent.pids)
        yield agent


@pytest.fixture
def agent(shared: Agent, media_server: MediaServer) -> Iterator[Agent]:
    """An agent that shows nothing at the beginning and at the end of a test."""
    yield shared
    shared.stop(all=True)
    shared.wait_until(lambda: len(shared.children()) <= 1, 5, "only the spare is left")


def test_a_start_is_answered_before_any_media_came(agent: Agent, screen: Screen, media_server: MediaServer) -> None:
    """A start is accepted although its server never answers, and a stop ends it while it is being prepared."""
    agent.spare_pid()
    began = time.monotonic()
    session_id = agent.start(media_server.url("/never"), wait=None)["session_id"]
    assert time.monotonic() - began < 0.5
    media_server.wait_request("/never", timeout_s=5)
    status = agent.status()
    assert (status["stream"]["session_id"], status["stream"]["session_state"]) == (session_id, "starting")
    assert status["stream"]["state"] == "loading"
    assert status["on_screen"] is None
    assert screen.colour_at_centre() == "black"
    assert agent.stop()["message"] == "Stream stopped"
    last = agent.status()["last"]
    assert (last["session_id"], last["reason"], last["error"]) == (session_id, "stopped", None)
    assert agent.status()["status"] == "idle"
    agent.spare_pid()  # waits until the other player is gone


def test_the_old_picture_stays_until_the_new_first_frame(
    agent: Agent, screen: Screen, xserver: XServer, media_server: MediaServer
) -> None:
    """While a slow source is being opened the old film goes on; then the new one is there, with nothing in between."""
    old = agent.start(media_server.url("/film/red.mp4"))["session_id"]
    wait_moves(screen, "red")
    with ScreenRecorder(xserver.display) as recorder:
        new = agent.start(media_server.url(f"/film/green.mp4?delay={SLOW_S}"), wait=None)["session_id"]
        status = agent.status()
        assert (status["stream"]["session_id"], status["on_screen"]) == (new, old)
        agent.wait_until(lambda: agent.status()["on_screen"] == new, 10, "the new film is on the screen")
        wait_moves(screen, "green")
        recording = recorder.stop()
    assert recording.colours() == ["red", "green"]
    assert recording.seconds_of("black") == 0
    red = recording.runs()[0]
    assert red.seconds > SLOW_S
    assert [still for still in recording.stills(STILL_S + recording.longest_gap_s) if still.colour == "red"] == []
    assert agent.wait_ended(old)["reason"] == "replaced"


@pytest.mark.parametrize(
    ("path", "code"),
    [("/status/404", "media_not_found"), ("/garbage", "media_unsupported")],
)
def test_a_start_that_fails_leaves_the_old_one_on(
    agent: Agent, screen: Screen, xserver: XServer, media_server: MediaServer, path: str, code: str
) -> None:
    """The film goes on without a flicker, and the failure is told to the caller and kept in `last`."""
    old = agent.start(media_server.url("/film/red.mp4"))["session_id"]
    agent.wait_state("playing")
    wait_moves(screen, "red")
    with ScreenRecorder(xserver.display) as recorder:
        problem = agent.start(media_server.url(path), expect=502)
        wait_moves(screen, "red")
        recording = recorder.stop()
    assert recording.colours() == ["red"]
    assert recording.stills(STILL_S + recording.longest_gap_s) == []
    status = agent.status()
    assert (status["stream"]["session_id"], status["on_screen"]) == (old, old)
    assert status["stream"]["state"] == "playing"
    assert problem["code"] == code
    last = status["last"]
    assert (last["session_id"], last["reason"]) == (problem["session_id"], "failed")
    assert last["error"] == {"code": code, "message": problem["detail"]}


def test_who_waits_is_told_the_first_frame(agent: Agent, screen: Screen, media_server: MediaServer) -> None:
    """The answer to a waiting start comes with the picture already on the screen, and with the time it took."""
    began = time.monotonic()
    answer = agent.start(media_server.url("/film/green.mp4?delay=0.5"))
    took = time.monotonic() - began
    assert screen.colour_at_centre() == "green"
    assert 0.5 < answer["time_to_first_frame"] <= took
    assert agent.status()["stream"]["time_to_first_frame"] == answer["time_to_first_frame"]


def test_who_waits_too_short_is_told_that_it_is_pending(
    agent: Agent, screen: Screen, media_server: MediaServer
) -> None:
    """The start goes on behind a `pending` answer."""
    answer = agent.start(media_server.url("/film/green.mp4?delay=0.6"), wait=0.3)
    assert answer["status"] == "pending"
    assert screen.colour_at_centre() == "black"
    wait_colour(screen, "green")
    assert agent.status()["on_screen"] == answer["session_id"]


@pytest.mark.parametrize(("ends_it", "code"), [("start", "replaced"), ("stop", "invalid_transition")])
def test_who_waits_is_told_that_it_will_not_come(
    agent: Agent, media_server: MediaServer, ends_it: str, code: str
) -> None:
    """A waiting start that is replaced or stopped is answered 409 at once."""
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(agent.call, "POST", "/start?wait=20", {"url": media_server.url("/never")})
        media_server.wait_request("/never", timeout_s=5)
        if ends_it == "start":
            agent.start(media_server.url("/film/green.mp4"), wait=None)
        else:
            agent.stop()
        answer = waiting.result(timeout=2)
    assert (answer.status, answer.json["code"]) == (409, code)


def test_of_many_starts_at_once_the_last_accepted_is_on(
    agent: Agent, screen: Screen, media_server: MediaServer
) -> None:
    """Twenty starts over four connections: the one accepted last is on the screen, all others ended replaced, each
    once, and one player and the spare are left."""
    colours = ("red", "green", "blue", "yellow")
    barrier = threading.Barrier(4)

    def five_starts(first: int) -> list[tuple[str, str]]:
        connection = http.client.HTTPConnection("127.0.0.1", agent.port, timeout=10)
        barrier.wait(5)
        started = []
        for number in range(first, first + 5):
            colour = colours[number % 4]
            connection.request("POST", "/start", json.dumps({"url": media_server.url(f"/film/{colour}.mp4")}))
            with connection.getresponse() as answer:
                assert answer.status == 200
                started.append((json.load(answer)["session_id"], colour))
        connection.close()
        return started

    with ThreadPoolExecutor(4) as pool:
        futures = [pool.submit(five_starts, first) for first in range(0, 20, 5)]
        colour_of = dict(pair for future in futures for pair in future.result())
    accepted = [e["session_id"] for e in agent.log("start_accepted") if e["session_id"] in colour_of]
    assert len(accepted) == len(set(accepted)) == 20
    last = accepted[-1]
    agent.wait_until(lambda: agent.status()["on_screen"] == last, 10, "the last accepted is on the screen")
    wait_moves(screen, colour_of[last])
    assert agent.status()["stream"]["session_id"] == last

    def ends() -> list[tuple[str, str]]:
        return [(e["session_id"], e["reason"]) for e in agent.log("stream_ended") if e["session_id"] in colour_of]

    agent.wait_until(lambda: len(ends()) >= 19, 5, "the others have ended")
    assert sorted(ends()) == sorted((session_id, "replaced") for session_id in accepted[:-1])
    agent.wait_for_spare()
    agent.wait_until(lambda: len(agent.children()) == 2, 5, "one player and the spare are left")


def test_stopping_when_nothing_is_on(agent: Agent) -> None:
    """It is a success that says so."""
    assert agent.stop() == {"status": "success", "message": "No active stream"}


def test_stopping_by_id_ends_that_one_only(agent: Agent, screen: Screen, media_server: MediaServer) -> None:
    """An unknown id ends nothing; the id of a start being prepared leaves the film on; the film's own id ends it."""
    film = agent.start(media_server.url("/film/red.mp4"))["session_id"]
    unknown = agent.stop(session_id="0c9e4b1e-0000-4000-8000-000000000000")
    assert "nothing was stopped" in unknown["message"]
    preparing = agent.start(media_server.url("/never"), wait=None)["session_id"]
    agent.stop(session_id=preparing)
    assert agent.status()["last"]["session_id"] == preparing
    assert agent.status()["stream"]["session_id"] == film
    wait_moves(screen, "red")
    agent.stop(session_id=film)
    assert screen.colour_at_centre() == "black"
    assert agent.status()["status"] == "idle"


def test_stopping_the_film_lets_the_next_one_come(agent: Agent, screen: Screen, media_server: MediaServer) -> None:
    """The id of what is on the screen ends that one, and a start being prepared still gets the screen."""
    film = agent.start(media_server.url("/film/red.mp4"))["session_id"]
    following = agent.start(media_server.url("/film/green.mp4?delay=0.6"), wait=None)["session_id"]
    agent.stop(session_id=film)
    assert screen.colour_at_centre() == "black"
    wait_colour(screen, "green")
    assert agent.status()["on_screen"] == following


def test_a_duration_ends_it_counted_from_the_first_frame(
    agent: Agent, screen: Screen, media_server: MediaServer
) -> None:
    """However long the source took to open, it is seen for as long as was asked for."""
    session_id = agent.start(media_server.url("/film/green.mp4?delay=0.6"), duration=1.5)["session_id"]
    first_frame = time.monotonic()
    stream = agent.status()["stream"]
    assert _seconds(stream, "first_frame_at", "expires_at") == pytest.approx(1.5, abs=0.01)
    last = agent.wait_ended(session_id)
    assert time.monotonic() - first_frame == pytest.approx(1.5, abs=TOLERANCE_S)
    assert screen.colour_at_centre() == "black"
    assert (last["reason"], last["error"]) == ("expired", None)
    assert _seconds(last, "first_frame_at", "ended_at") == pytest.approx(1.5, abs=TOLERANCE_S)


@pytest.mark.parametrize("by_stop", [True, False])
def test_a_new_start_or_a_stop_cancels_the_duration(
    agent: Agent, screen: Screen, media_server: MediaServer, by_stop: bool
) -> None:
    """The next stream is not cut short by the time of the one before it."""
    agent.start(media_server.url("/film/red.mp4"), duration=0.7)
    if by_stop:
        agent.stop()
    following = agent.start(media_server.url("/film/green.mp4"), duration=1.4)["session_id"]
    last = agent.wait_ended(following)
    assert last["reason"] == "expired"
    assert _seconds(last, "first_frame_at", "ended_at") == pytest.approx(1.4, abs=TOLERANCE_S)
    assert screen.colour_at_centre() == "black"


def test_a_failed_start_does_not_cancel_the_duration(agent: Agent, media_server: MediaServer) -> None:
    """The film that stays on still ends when its time is over."""
    film = agent.start(media_server.url("/film/red.mp4"), duration=1.5)["session_id"]
    agent.start(media_server.url("/status/404"), expect=502)
    last = agent.wait_ended(film)
    assert last["reason"] == "expired"
    assert _seconds(last, "first_frame_at", "ended_at") == pytest.approx(1.5, abs=TOLERANCE_S)


def test_a_film_that_is_over_is_finished(agent: Agent, screen: Screen, media_server: MediaServer) -> None:
    """It ends by itself, the screen is clear and its player is gone."""
    film = media_server.file_url(media_server.clips.film_mp4("blue", 2, None))
    session_id = agent.start(film)["session_id"]
    assert screen.colour_at_centre() == "blue"
    last = agent.wait_ended(session_id)
    assert (last["reason"], last["error"]) == ("finished", None)
    # Its end is noticed by itself, and is not taken for a stall.
    assert 2 - TOLERANCE_S <= _seconds(last, "first_frame_at", "ended_at") < STALL_TIMEOUT_S
    assert screen.colour_at_centre() == "black"
    agent.spare_pid()


def test_a_recording_of_unknown_length_is_finished_as_well(agent: Agent, media_server: MediaServer) -> None:
    """Of a transport stream on a web server libVLC knows no length; it is no live stream for that."""
    session_id = agent.start(media_server.file_url(media_server.clips.film_ts("blue", 2)))["session_id"]
    stream = agent.status()["stream"]
    assert (stream["stream_type"], stream["duration"], stream["capabilities"]["seek"]) == (
        "buffered",
        None,
        "unavailable",
    )
    last = agent.wait_ended(session_id)
    assert (last["reason"], last["error"]) == ("finished", None)


def _seconds(session: Any, start: str, end: str) -> float:
    return (datetime.fromisoformat(session[end]) - datetime.fromisoformat(session[start])).total_seconds()
