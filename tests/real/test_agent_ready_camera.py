"""Cameras that presets keep ready: a start shows a picture at once, and never later than one of the camera itself."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import pairwise
from pathlib import Path

import av
import pytest

from tests.support.agent import PREFERRED, Agent
from tests.support.clips import Clips
from tests.support.colours import name_of
from tests.support.leaks import LeakCheck
from tests.support.looking import wait_colour, wait_moves
from tests.support.media_server import MediaServer
from tests.support.ready import (
    READY_WITHIN_S,
    camera_worker,
    presets,
    start_preset,
    wait_after_key_frame,
    wait_ready,
    wait_url,
)
from tests.support.rtsp_server import PASSWORD, RATE_HZ, SPARSE_S, USER, RtspServer
from tests.support.screen import Screen
from tests.support.tls import TlsFront, make_certificate, python_that_trusts
from tests.support.tools import wait_until
from tests.support.xserver import XServer

PATH = "/red/sparse/sound"


@pytest.fixture(scope="module")
def shared(xserver: XServer, cameras: RtspServer, leaks: LeakCheck) -> Iterator[Agent]:
    config = presets(cameras.url(PATH))
    with Agent(xserver.display, config=config, audio__output="none", prefix=PREFERRED) as agent:
        leaks.own_pids(lambda: agent.pids)
        yield agent


def connections(port: int) -> int:
    """Those to a server on this machine at this port."""
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(int(line[2].split(":")[1], 16) == port and line[3] == "01" for line in lines)


def worker_pid(agent: Agent) -> int:
    return int(agent.log("cameras_started")[-1]["pid"])


@contextmanager
def stopped(pids: set[int]) -> Iterator[None]:
    """These processes do nothing meanwhile."""
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


def test_a_start_does_not_wait_for_the_next_key_frame(
    agent: Agent, screen: Screen, media_server: MediaServer, cameras: RtspServer
) -> None:
    """Over a film, by the preset and by its address; the camera is asked once for all of it. Without `keep_ready` the
    picture comes with the next key frame, or later."""
    seen = wait_ready(agent)
    assert seen["preset"] == "door-0"
    assert seen["size"] > 0
    assert connections(cameras.port) == 1
    agent.start(media_server.url("/film/blue.mp4"))
    for start in (start_preset, lambda agent, **fields: agent.start(cameras.url(PATH), **fields)):
        next_key = wait_after_key_frame(SPARSE_S)
        session = start(agent, interrupt=True)["session_id"]
        assert screen.colour_at_centre() == "red"
        assert time.monotonic() < next_key
        wait_moves(screen, "red")
        assert connections(cameras.port) == 1
        agent.wait_until(lambda: agent.health()["cameras"][0]["viewers"] == 1, 5, "the viewer")
        agent.stop(session_id=session)
        wait_colour(screen, "blue")
    agent.wait_until(lambda: agent.health()["cameras"][0]["viewers"] == 0, 5, "no viewer")


def test_its_last_key_frame_is_seen_before_its_player_shows_anything(
    agent: Agent, screen: Screen, media_server: MediaServer
) -> None:
    """All of the screen shows it, while the film beneath goes on; it is gone with a stop, and with the first moving
    picture."""
    wait_ready(agent)
    agent.start(media_server.url("/film/blue.mp4"))
    film = agent.player_pid()
    kept = {film, worker_pid(agent)}
    agent.wait_until(lambda: set(agent.children()) - kept, 10, "the spares are there")
    with stopped(set(agent.children()) - kept):
        agent.call("POST", "/start", {"preset": "door-0", "interrupt": True})
        wait_colour(screen, "red")
        width, height = screen.size()
        corners = [(x, y) for x in (1, width - 2) for y in (1, height // 2)]
        assert {name_of(rgb) for rgb in screen.pixels(corners)} == {"red"}
        stream = agent.status()["stream"]
        assert (stream["state"], stream["time_to_first_frame"]) == ("loading", None)
        agent.stop(session_id=stream["session_id"])
        wait_colour(screen, "blue")
        assert agent.wait_state("playing")["session_id"] != stream["session_id"]
    start_preset(agent, interrupt=True)
    wait_moves(screen, "red")
    agent.stop(all=True)


def test_what_is_told_about_it(agent: Agent) -> None:
    seen = wait_ready(agent)
    assert seen["problem"] is None
    metrics = agent.call("GET", "/metrics").content.decode()
    assert 'cast_agent_ready_cameras{ready="true"} 1.0' in metrics
    assert "cast_agent_ready_camera_bytes" in metrics
    [preset] = agent.call("GET", "/presets").json["presets"]
    assert preset["keep_ready"] is True


def test_a_camera_that_goes_away_and_comes_back(xserver: XServer, screen: Screen, clips: Clips) -> None:
    """While it is shown: the session goes on with the camera itself, as soon as it is there again. It is ready again
    after its next try."""
    with (
        RtspServer(clips) as cameras,
        Agent(xserver.display, config=presets(cameras.url(PATH)), audio__output="none") as agent,
    ):
        wait_ready(agent)
        session, port = start_preset(agent)["session_id"], cameras.port
        wait_moves(screen, "red")
        cameras.kill()
        agent.wait_until(lambda: agent.health()["cameras"][0]["problem"], READY_WITHIN_S, "what is wrong")
        assert wait_ready(agent, ready=False)["viewers"] == 0
        cameras.start(port=port)
        agent.wait_until(
            lambda: (s := agent.status()["stream"])["session_id"] == session and s["state"] == "playing", 20, "it is on"
        )
        wait_moves(screen, "red")
        agent.stop()
        assert wait_ready(agent)["problem"] is None


def test_the_process_is_started_again(agent: Agent, screen: Screen) -> None:
    """A start meanwhile goes to the camera itself."""
    wait_ready(agent)
    os.kill(worker_pid(agent), signal.SIGKILL)
    wait_ready(agent, ready=False)
    start_preset(agent)
    assert screen.colour_at_centre() == "red"
    agent.stop()
    wait_ready(agent)


def test_a_preset_that_goes_takes_its_connection_with_it(
    xserver: XServer, cameras: RtspServer, leaks: LeakCheck
) -> None:
    """One that a page saves is kept ready at once, and its process ends with the last one."""
    with Agent(xserver.display, audio__output="none") as agent:
        leaks.own_pids(lambda: agent.pids)
        assert agent.log("cameras_started") == []
        before = connections(cameras.port)
        wanted = {"id": "door", "title": "Door", "url": cameras.url(PATH), "keep_ready": True}
        assert agent.call("POST", "/presets", wanted).status == 201
        agent.wait_until(lambda: agent.health()["cameras"], 5, "it is wanted")
        wait_ready(agent)
        pid = worker_pid(agent)
        assert connections(cameras.port) == before + 1
        assert agent.call("DELETE", "/presets/door").status == 200
        wait_until(lambda: not Path(f"/proc/{pid}").exists(), timeout_s=5, what="the process is gone")
        wait_until(lambda: connections(cameras.port) == before, timeout_s=5, what="the connection is gone")
        assert agent.health()["cameras"] == []


def test_what_this_box_waits_for_at_a_port_of_its_own_is_not_kept_ready(agent: Agent) -> None:
    """A start could not wait there, too."""
    answer = agent.call("POST", "/presets", {"id": "tv", "url": "udp://@:5004", "keep_ready": True})
    assert answer.status == 422
    assert [error["field"] for error in answer.json["errors"]] == ["keep_ready"]
    assert "give an rtsp, rtsps, http or https address" in answer.json["detail"]


def test_over_tls_with_a_password(
    xserver: XServer, cameras: RtspServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The certificate is checked, and the password is in no answer and no log. What is wrong with a camera is told of
    that one."""
    certificate = make_certificate(tmp_path)
    with TlsFront(certificate, before=cameras.port) as front:
        config = presets(f"rtsps://{USER}:{PASSWORD}@localhost:{front.port}/red/private")
        locked = cameras.url("/red/private", userinfo=f"{USER}:wrong")
        others = ("rtsp://nobody-has-it.local/1", locked, cameras.url(PATH))
        more = config + presets(*others).replace("door-", "other-")
        with Agent(xserver.display, config=more, audio__output="none") as agent:
            agent.wait_until(
                lambda: all((c["problem"], c["ready"])[n == 3] for n, c in enumerate(agent.health()["cameras"])),
                READY_WITHIN_S,
                "the refusals",
            )
            refused, unknown, locked, ready = agent.health()["cameras"]
            assert "certificate" in refused["problem"]
            assert "answers to the name 'nobody-has-it.local'" in unknown["problem"]
            assert "It is sent again in an hour" in locked["problem"]
            assert (refused["ready"], unknown["ready"], locked["ready"], ready["problem"]) == (
                False,
                False,
                False,
                None,
            )
        monkeypatch.setattr(sys, "executable", python_that_trusts(certificate, tmp_path))
        with Agent(xserver.display, config=config, audio__output="none") as agent:
            assert PASSWORD not in str(wait_ready(agent))
            start_preset(agent)
            agent.wait_until(lambda: agent.health()["cameras"][0]["viewers"] == 1, 5, "the viewer")
            assert PASSWORD not in (agent.folder / "log").read_text()


def test_what_a_viewer_gets(cameras: RtspServer) -> None:
    """The key frame first, then all pictures since, told to be a hundredth as far apart, and from then on as they
    come."""
    with camera_worker({"door": cameras.url("/red/sparse")}) as next_reports:
        url = wait_url(next_reports)
        wait_after_key_frame(SPARSE_S)
        with av.open(url, format="nut") as got:
            packets = [packet for packet, _ in zip(got.demux(video=0), range(2 * RATE_HZ), strict=False)]
    assert packets[0].is_keyframe
    times = [float(packet.pts * packet.time_base) for packet in packets if packet.pts is not None]
    steps = [later - sooner for sooner, later in pairwise(times)]
    backlog = next(n for n, step in enumerate(steps) if step > 0.02)
    assert backlog >= 0.4 * RATE_HZ
    assert times[backlog] - times[0] < 0.02 * SPARSE_S
    assert all(step == pytest.approx(1 / RATE_HZ, abs=0.03) for step in steps[backlog + 1 :])
