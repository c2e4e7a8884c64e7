"""Whatever happens, the right picture comes back: reconnects, interruptions, restarts."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator

import pytest

from tests.support.agent import PREFERRED, Agent
from tests.support.behaviour import Behaviour, Then
from tests.support.leaks import LeakCheck
from tests.support.looking import wait_colour, wait_moves
from tests.support.media_server import MediaServer
from tests.support.recorder import ScreenRecorder
from tests.support.screen import Screen
from tests.support.xserver import XServer

RETURN_S = 4.0
"""The time from a source that is back to moving pictures: at most the longest pause between two tries, and a start."""


@pytest.fixture(scope="module")
def shared(xserver: XServer, leaks: LeakCheck) -> Iterator[Agent]:
    with Agent(xserver.display, audio__output="none", player__stall_timeout=2, prefix=PREFERRED) as agent:
        leaks.own_pids(lambda: agent.pids)
        yield agent


def wait_back(screen: Screen, colour: str, *, timeout_s: float = 10.0) -> None:
    wait_colour(screen, colour, timeout_s=timeout_s)
    wait_moves(screen, colour, timeout_s=timeout_s)


@pytest.mark.parametrize("fault", [Then.CLOSE, Then.RESET, Then.HOLD, Then.TRICKLE], ids=lambda t: t.name.lower())
def test_a_live_stream_is_taken_up_again(
    agent: Agent, xserver: XServer, screen: Screen, media_server: MediaServer, fault: Then
) -> None:
    """A camera that breaks off keeps its last picture on the screen, is tried again, and is back by itself."""
    session = agent.start(media_server.url("/live/green.ts"))["session_id"]
    wait_back(screen, "green")
    agent.wait_state("playing")
    with ScreenRecorder(xserver.display) as recorder:
        media_server.behave("/live", Behaviour(then=fault, after_bytes=0))
        agent.wait_until(lambda: agent.status()["stream"]["attempt"] > 1, 10, "it is tried again")
        stream = agent.status()["stream"]
        assert (stream["session_id"], stream["session_state"], stream["state"]) == (session, "active", "buffering")
        assert stream["error"]["code"] in ("media_network", "media_stalled", "media_unsupported")
        media_server.reset()
        wait_back(screen, "green", timeout_s=RETURN_S + 15)
        recording = recorder.stop()
    assert set(recording.colours()) == {"green"}
    assert recording.seconds_of("black") == 0
    stream = agent.wait_state("playing")
    assert (stream["session_id"], stream["attempt"], stream["error"]) == (session, 1, None)


def test_a_live_hls_is_taken_up_again_before_it_counts_as_stalled(
    agent: Agent, screen: Screen, media_server: MediaServer
) -> None:
    """libVLC would ask a dead server for its playlist for 14 s; once what was in store has been shown, the agent opens
    the stream anew instead, so that it is there as soon as its server is."""
    session = agent.start(media_server.url("/live-hls/index.m3u8"))["session_id"]
    agent.wait_state("playing")
    media_server.behave("/live-hls", Behaviour(status=503))
    agent.wait_until(lambda: agent.status()["stream"]["attempt"] > 1, 15, "it is tried again")
    assert next(e["code"] for e in agent.log("stream_retried") if e["session_id"] == session) == "media_network"
    assert screen.colour_at_centre() == "red"
    media_server.reset()
    wait_back(screen, "red", timeout_s=RETURN_S + 5)


def test_an_outage_is_retried_and_a_stop_ends_it(agent: Agent, screen: Screen, media_server: MediaServer) -> None:
    """While a stream is tried again the last picture stays; /stop takes it off, and nothing comes back."""
    agent.start(media_server.url("/live/green.ts"))
    agent.wait_state("playing")
    media_server.behave("/live", Behaviour(then=Then.CLOSE, status=503))
    agent.wait_until(lambda: agent.status()["stream"]["attempt"] > 2, 15, "it is tried again and again")
    assert screen.colour_at_centre() == "green"
    agent.stop()
    assert screen.colour_at_centre() == "black"
    tries = len(media_server.requests("/live"))
    time.sleep(2.5)  # the next try would come after 2 s at most
    assert len(media_server.requests("/live")) == tries
    assert agent.status()["status"] == "idle"


def test_a_killed_player_is_replaced(agent: Agent, xserver: XServer, screen: Screen, media_server: MediaServer) -> None:
    """A player that dies in the middle of a film costs a moment: the film goes on where it was."""
    session = agent.start(media_server.url("/film/red.mp4"))["session_id"]
    agent.wait_until(lambda: (agent.status()["stream"]["position"] or 0) > 3, 10, "it is 3 s in")
    with ScreenRecorder(xserver.display) as recorder:
        os.kill(agent.player_pid(), signal.SIGKILL)
        agent.wait_until(lambda: agent.status()["stream"]["state"] == "buffering", 5, "it is noticed")
        stream = agent.wait_state("playing")
        recording = recorder.stop()
    assert stream["session_id"] == session
    assert stream["position"] > 2.5, "it goes on where it was"
    assert recording.colours() == ["red"]


def test_a_film_that_breaks_off_resumes_at_its_position(
    agent: Agent, screen: Screen, media_server: MediaServer
) -> None:
    """A film whose server goes away in the middle resumes at its position, and plays to its end."""
    session = agent.start(media_server.url("/film/red.mp4?rate=15000"))["session_id"]
    agent.wait_until(lambda: (agent.status()["stream"]["position"] or 0) > 2, 10, "it is 2 s in")
    media_server.behave("/film", Behaviour(then=Then.RESET, after_bytes=0))
    agent.wait_until(lambda: (agent.status()["stream"] or {"attempt": 9})["attempt"] > 1, 20, "it broke")
    assert agent.status()["stream"] is not None, agent.status()["last"]
    media_server.reset()
    stream = agent.wait_state("playing")
    assert (stream["session_id"], stream["position"] > 1.5) == (session, True)
    assert agent.wait_ended(session, 20)["reason"] == "finished"


def test_a_doorbell_interrupts_a_film(
    agent: Agent, xserver: XServer, screen: Screen, media_server: MediaServer
) -> None:
    """The camera is shown for its duration, then the film goes on where it was; nothing is black in between."""
    film = agent.start(media_server.url("/film/red.mp4"))["session_id"]
    agent.wait_until(lambda: (agent.status()["stream"]["position"] or 0) > 2, 10, "it is 2 s in")
    with ScreenRecorder(xserver.display) as recorder:
        bell = agent.start(media_server.url("/live/green.ts"), interrupt=True, duration=3)["session_id"]
        status = agent.status()
        assert status["stream"]["session_id"] == bell
        assert [(w["session_id"], w["session_state"]) for w in status["interrupted"]] == [(film, "waiting")]
        left_at = status["interrupted"][0]["position"]
        assert agent.wait_ended(bell)["reason"] == "expired"
        wait_back(screen, "red")
        recording = recorder.stop()
    assert recording.colours() == ["red", "green", "red"]
    assert recording.seconds_of("black") == 0
    stream = agent.wait_state("playing")
    assert stream["session_id"] == film
    assert left_at - 0.5 <= stream["position"] <= left_at + 3


def test_a_stop_brings_back_what_was_interrupted(agent: Agent, screen: Screen, media_server: MediaServer) -> None:
    """/stop ends what is on top, /stop with an id ends one that waits, /stop with all ends everything."""
    film = agent.start(media_server.url("/film/red.mp4"))["session_id"]
    camera = agent.start(media_server.url("/live/green.ts"), interrupt=True)["session_id"]
    agent.start(media_server.url("/film/blue.mp4"), interrupt=True)
    assert [w["session_id"] for w in agent.status()["interrupted"]] == [camera, film]
    agent.stop(session_id=camera)
    assert [w["session_id"] for w in agent.status()["interrupted"]] == [film]
    assert screen.colour_at_centre() == "blue"
    agent.stop()
    wait_back(screen, "red")
    agent.start(media_server.url("/live/green.ts"), interrupt=True)
    agent.stop(all=True)
    assert agent.status()["status"] == "idle"
    assert screen.colour_at_centre() == "black"


def test_one_that_waits_can_expire(agent: Agent, screen: Screen, media_server: MediaServer) -> None:
    """The duration of what waits goes on; what ran out does not come back."""
    film = agent.start(media_server.url("/film/red.mp4"), duration=2)["session_id"]
    bell = agent.start(media_server.url("/live/green.ts"), interrupt=True)["session_id"]
    assert agent.wait_ended(film)["reason"] == "expired"
    assert agent.status()["stream"]["session_id"] == bell
    agent.stop()
    assert agent.status()["status"] == "idle"


def test_extending_does_not_touch_the_picture(agent: Agent, xserver: XServer, media_server: MediaServer) -> None:
    """A start with the id of what runs counts its duration anew, and the player goes on as it was."""
    session = agent.start(media_server.url("/film/red.mp4"), duration=2)["session_id"]
    player = agent.player_pid()
    agent.wait_state("playing")
    before = agent.status()["stream"]["expires_at"]
    answer = agent.call("POST", "/start", {"session_id": session, "duration": 6, "title": "longer"})
    assert answer.status == 200, answer.content
    stream = agent.status()["stream"]
    assert stream["expires_at"] > before
    assert stream["title"] == "longer"
    time.sleep(2.5)  # longer than the first duration
    assert agent.status()["stream"]["session_id"] == session
    assert agent.player_pid() == player
    assert agent.wait_ended(session)["reason"] == "expired"


def kept_of(agent: Agent) -> dict[str, float]:
    """The sessions that are on the disk, with their positions."""
    sessions = json.loads((agent.folder / "state" / "wanted.json").read_text())["sessions"]
    return {one["session_id"]: one["position"] for one in sessions}


def test_it_comes_back_after_a_crash(agent: Agent, screen: Screen, media_server: MediaServer) -> None:
    """The agent is killed while a camera interrupts a film; started again, the camera is on within 5 s, and the film
    behind it, at its position."""
    film = agent.start(media_server.url("/film/red.mp4"))["session_id"]
    agent.wait_until(lambda: (agent.status()["stream"]["position"] or 0) > 2, 10, "it is 2 s in")
    camera = agent.start(media_server.url("/live/green.ts"), interrupt=True, duration=60)["session_id"]
    agent.wait_until(lambda: kept_of(agent).get(film, 0) > 1.5 and camera in kept_of(agent), 3, "both are on the disk")
    agent.kill()
    began = time.monotonic()
    agent.run(until_spare=False)
    wait_back(screen, "green", timeout_s=10)
    assert time.monotonic() - began < 5
    status = agent.status()
    assert status["stream"]["session_id"] == camera
    assert status["stream"]["expires_at"] is not None
    agent.stop()
    wait_back(screen, "red")
    stream = agent.wait_state("playing")
    assert stream["session_id"] == film
    assert stream["position"] >= 1.5


def test_a_display_that_dies_and_comes_back(media_server: MediaServer) -> None:
    """The X server dies under a film; when there is one again, so is the film."""
    with XServer() as server, Agent(server.display, audio__output="none") as agent:
        session = agent.start(media_server.url("/live/green.ts"))["session_id"]
        agent.wait_state("playing")
        server.kill()
        agent.wait_until(lambda: agent.health()["display"] == "unavailable", 10, "it is noticed")
        assert agent.status()["stream"]["session_id"] == session

        def is_told() -> bool:
            error, message = agent.status()["stream"]["error"], agent.health()["checks"]["display"]["message"]
            return error is not None and server.display in message and error["message"] == message

        agent.wait_until(is_told, 10, "the stream says what to do about the display")
        server.start()
        with Screen(server.display) as screen:
            wait_back(screen, "green", timeout_s=20)
        assert agent.status()["stream"]["session_id"] == session


def test_pause_seek_and_loop(agent: Agent, screen: Screen, media_server: MediaServer) -> None:
    """A film stands still while it is paused and is not taken for a freeze; it can be sent elsewhere, and begun in
    the middle; one that loops begins again."""
    url = media_server.url("/film/red.mp4")
    session = agent.start(url, position=5.0)["session_id"]
    stream = agent.wait_state("playing")
    assert 4.5 < stream["position"] < 7.5
    assert agent.call("POST", "/pause").status == 200
    assert agent.status()["stream"]["state"] == "paused"
    paused_at = agent.status()["stream"]["position"]
    time.sleep(3)  # longer than the stall_timeout of 2 s
    assert agent.status()["stream"]["state"] == "paused"
    assert agent.status()["stream"]["position"] == pytest.approx(paused_at, abs=0.5)
    assert agent.call("POST", "/resume").status == 200
    assert agent.call("POST", "/seek", {"position": 1.0}).status == 200
    agent.wait_until(lambda: 0.9 < (agent.status()["stream"]["position"] or 0) < 3, 5, "it is at 1 s")
    agent.stop()
    session = agent.start(url, position=8.0, loop=True)["session_id"]
    agent.wait_until(lambda: 0 < (agent.status()["stream"]["position"] or 0) < 3, 15, "it begins again")
    assert agent.status()["stream"]["session_id"] == session
    assert screen.colour_at_centre() == "red"


def test_a_playlist_is_played_in_order(
    agent: Agent, xserver: XServer, screen: Screen, media_server: MediaServer
) -> None:
    """The entries of an m3u are played one after the other, in one session, without black in between."""
    clips = media_server.clips
    entries = [media_server.file_url(clips.film_mp4(colour, 4.0, None)) for colour in ("red", "blue")]
    url = media_server.url("/list.m3u?" + "&".join(f"entry={entry}" for entry in entries))
    session = agent.start(url)["session_id"]
    with ScreenRecorder(xserver.display) as recorder:
        wait_back(screen, "blue", timeout_s=10)
        recording = recorder.stop()
    assert recording.colours() == ["red", "blue"]
    assert agent.wait_ended(session)["reason"] == "finished"


def test_a_playlist_may_not_lead_to_files(agent: Agent, screen: Screen, media_server: MediaServer) -> None:
    """An entry that could not be submitted is refused with the reason, and what is on stays on."""
    agent.start(media_server.url("/film/red.mp4"))
    answer = agent.start(media_server.url("/list.m3u?entry=file:///etc/passwd"), expect=502)
    assert answer["code"] == "media_forbidden"
    assert "media_folders" in answer["detail"]
    assert screen.colour_at_centre() == "red"


def test_a_camera_that_is_not_there_yet(agent: Agent, screen: Screen, media_server: MediaServer) -> None:
    """A start whose source answers 503 at first is tried again, and succeeds once the source is there."""
    media_server.behave("/live", Behaviour(status=503))
    session = agent.start(media_server.url("/live/green.ts"), wait=None)["session_id"]
    agent.wait_until(lambda: agent.status()["stream"]["attempt"] > 1, 10, "it is tried again")
    assert agent.status()["stream"]["session_state"] == "starting"
    media_server.reset()
    wait_back(screen, "green")
    assert agent.status()["stream"]["session_id"] == session
