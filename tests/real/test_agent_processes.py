"""Players that die or hang, and a daemon that does: nothing stays behind, and the next start works at once."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.support.agent import PREFERRED, READY_S, Agent
from tests.support.looking import wait_moves
from tests.support.media_server import MediaServer
from tests.support.screen import Screen
from tests.support.stuck import start_stuck_hls
from tests.support.tools import wait_until
from tests.support.xserver import XServer

AT_ONCE_S = 1.0
"""The longest wait for what takes some 20 ms; the rest is for a busy machine."""


@pytest.fixture
def agent(xserver: XServer) -> Iterator[Agent]:
    settings: dict[str, Any] = {"player__stall_timeout": 30, "stream__retry": False}
    with Agent(xserver.display, audio__output="none", prefix=PREFERRED, **settings) as agent:
        yield agent
        if agent.process is not None and agent.process.poll() is None:
            assert [pid for pid in agent.children() if _state(pid) == "Z"] == []


def test_a_killed_player_is_a_failure_with_its_signal(agent: Agent, screen: Screen, media_server: MediaServer) -> None:
    """The session ends `failed` with the signal's name, the screen is clear, and the next start works at once. A caller
    who was about to pause it is told that it is over."""
    session_id = agent.start(media_server.url("/film/red.mp4"))["session_id"]
    player = agent.player_pid()
    agent.wait_for_spare()
    os.kill(player, signal.SIGSTOP)  # so that it does not answer before it is killed
    with ThreadPoolExecutor(1) as pool:
        pausing = pool.submit(agent.call, "POST", "/pause")
        agent.wait_state("paused")
        os.kill(player, signal.SIGKILL)
        refused = pausing.result(timeout=5)
    assert (refused.status, refused.json["code"]) == (409, "invalid_transition")
    last = agent.wait_ended(session_id, AT_ONCE_S)
    assert (last["reason"], last["error"]["code"]) == ("failed", "player_unavailable")
    assert last["error"]["message"] == "The player process died (signal SIGKILL)."
    assert screen.colour_at_centre() == "black"
    assert agent.health()["status"] == "healthy"
    answer = agent.start(media_server.url("/film/green.mp4"))
    assert answer["time_to_first_frame"] < AT_ONCE_S
    wait_moves(screen, "green")
    assert not _exists(player)


def test_a_frozen_player_is_noticed_and_ended(xserver: XServer, screen: Screen, media_server: MediaServer) -> None:
    """A process that is stopped is found out within 6 s, named and killed. It is not taken for a stream that stalls,
    also where that would be noticed sooner: nobody is sent to look at the source."""
    with Agent(xserver.display, audio__output="none", player__stall_timeout=2, stream__retry=False) as agent:
        session_id = agent.start(media_server.url("/film/red.mp4"))["session_id"]
        player = agent.player_pid()
        agent.wait_state("playing")
        os.kill(player, signal.SIGSTOP)
        last = agent.wait_ended(session_id, 6)
        assert (last["reason"], last["error"]["code"]) == ("failed", "player_timeout")
        assert "hung" in last["error"]["message"]
        agent.wait_until(lambda: not _exists(player), AT_ONCE_S, "the frozen process is gone")
        agent.start(media_server.url("/film/green.mp4"))
        wait_moves(screen, "green")


def test_a_player_that_dies_while_preparing_leaves_the_old_one_on(
    agent: Agent, screen: Screen, media_server: MediaServer
) -> None:
    """Its failure is told, and the film on the screen goes on."""
    film = agent.start(media_server.url("/film/red.mp4"))["session_id"]
    on_screen = agent.player_pid()
    agent.wait_for_spare()
    [spare] = set(agent.children()) - {on_screen}
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(agent.call, "POST", "/start?wait=20", {"url": media_server.url("/never")})
        media_server.wait_request("/never", timeout_s=5)
        os.kill(spare, signal.SIGSEGV)
        answer = waiting.result(timeout=5)
    assert (answer.status, answer.json["code"]) == (503, "player_unavailable")
    assert "SIGSEGV" in answer.json["detail"]
    assert agent.status()["on_screen"] == film
    wait_moves(screen, "red")


def test_a_stream_whose_stop_hangs_is_stopped_at_once(agent: Agent, screen: Screen, media_server: MediaServer) -> None:
    """A live HLS that trickles hangs libVLC's stop; here it takes no longer than any other, and its process is gone."""
    start_stuck_hls(agent, media_server)
    player = agent.player_pid()
    began = time.monotonic()
    assert agent.stop()["message"] == "Stream stopped"
    assert time.monotonic() - began < AT_ONCE_S
    assert not _exists(player)
    assert screen.colour_at_centre() == "black"


def test_a_killed_spare_is_made_good(agent: Agent, screen: Screen, media_server: MediaServer) -> None:
    """A new one is ready soon, and what is on goes on; a start in between works too."""
    spare = agent.spare_pid()
    os.kill(spare, signal.SIGKILL)
    agent.wait_until(lambda: agent.children() not in ([], [spare]), READY_S, "there is another player")
    assert agent.spare_pid() != spare
    assert agent.health()["status"] == "healthy"
    spare = agent.spare_pid()
    os.kill(spare, signal.SIGKILL)
    agent.wait_until(lambda: spare not in agent.children(), 5, "its death is noticed")
    agent.start(media_server.url("/film/green.mp4"))
    wait_moves(screen, "green")


def test_a_killed_daemon_takes_its_players_along(agent: Agent, screen: Screen, media_server: MediaServer) -> None:
    """After kill -9 the player on the screen and the spare are gone within 2 s, also a player that is stuck."""
    start_stuck_hls(agent, media_server)
    agent.wait_for_spare()
    players = agent.children()
    assert len(players) == 2
    process = agent.process
    assert process is not None
    process.kill()
    process.wait(5)
    wait_until(lambda: not any(map(_exists, players)), timeout_s=2, what="players to end with their daemon")
    agent.process = None
    assert screen.colour_at_centre() == "black"
    agent.run()
    agent.start(media_server.url("/film/green.mp4"))
    wait_moves(screen, "green")


def test_sigterm_ends_everything_in_time(agent: Agent, screen: Screen, media_server: MediaServer) -> None:
    """With a stuck stream on the screen and a caller who waits for another, the daemon is out within 5 s with exit
    code 0, the caller is answered, and no process is left."""
    start_stuck_hls(agent, media_server)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(agent.call, "POST", "/start?wait=20", {"url": media_server.url("/never")})
        media_server.wait_request("/never", timeout_s=5)
        players = agent.children()
        assert len(players) >= 2
        began = time.monotonic()
        assert agent.terminate() == 0
        assert time.monotonic() - began < 5
        answer = waiting.result(timeout=1)
    assert (answer.status, answer.json["code"]) == (409, "invalid_transition")
    assert not any(_exists(pid) for pid in players)
    assert screen.colour_at_centre() == "black"
    assert {e["reason"] for e in agent.log("stream_ended")} == {"shutdown"}


def test_a_libvlc_that_cannot_start_is_reported_and_costs_few_processes(
    xserver: XServer, media_server: MediaServer
) -> None:
    """Health says what is wrong and what to do, starts are refused with 503 and when to come again, and the number of
    processes spawned is bounded, however often somebody asks."""
    missing = {"PYTHON_VLC_LIB_PATH": "/nonexistent/libvlc.so.5"}
    with Agent(xserver.display, env=missing, audio__output="none") as agent:
        agent.wait_until(lambda: agent.health()["status"] == "degraded", 10, "it is degraded")
        health = agent.health()
        assert health["player"] == "unavailable"
        assert health["display"] == "available"
        assert "Cannot load" in health["checks"]["player"]["message"]
        assert "apt install" in health["checks"]["player"]["message"]
        spawned = len(agent.log("player_died"))
        for _ in range(20):
            answer = agent.call("POST", "/start", {"url": media_server.url("/film/red.mp4")})
            assert (answer.status, answer.json["code"]) == (503, "player_unavailable")
            assert int(answer.headers["Retry-After"]) > 0
            assert "Cannot load" in answer.json["detail"]
        assert len(agent.log("player_died")) <= spawned + 1
        assert spawned <= 4
        agent.wait_until(lambda: agent.children() == [], 5, "no player is left")
        assert agent.status()["status"] == "idle"


def _exists(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""
