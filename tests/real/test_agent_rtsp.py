"""RTSP cameras on a libVLC that has no RTSP: the way from /start to the pixels, on the real mpv and a real RTSP
server."""

from __future__ import annotations

import io
import os
import shutil
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from PIL import Image

from tests.support.agent import PREFERRED, Agent
from tests.support.broken_camera import BrokenCamera
from tests.support.clips import Clips
from tests.support.colours import name_of
from tests.support.leaks import LeakCheck
from tests.support.looking import last_movement, record_switches, wait_colour, wait_moves
from tests.support.media_server import MediaServer
from tests.support.recorder import ScreenRecorder
from tests.support.rtsp_server import PASSWORD, USER, RtspServer
from tests.support.screen import Screen
from tests.support.sound import PulseServer
from tests.support.tools import wait_until
from tests.support.xserver import XServer

START_TIMEOUT_S = 2
STALL_TIMEOUT_S = 2
AT_ONCE_S = 1.5
"""The longest wait for what takes 0.3 s; the rest is for a busy machine."""


@pytest.fixture(scope="module")
def shared(xserver: XServer, leaks: LeakCheck) -> Iterator[Agent]:
    with Agent(
        xserver.display,
        audio__output="none",
        player__start_timeout=START_TIMEOUT_S,
        player__stall_timeout=STALL_TIMEOUT_S,
        prefix=PREFERRED,
    ) as agent:
        leaks.own_pids(lambda: agent.pids)
        yield agent


@pytest.fixture
def agent(shared: Agent, cameras: RtspServer, media_server: MediaServer) -> Iterator[Agent]:
    yield shared
    shared.stop(all=True)
    cameras.reset()


@pytest.mark.parametrize(
    ("path", "userinfo"),
    [
        ("/red", ""),
        ("/red/sound", ""),
        ("/red/h265", ""),
        ("/red/tcp", ""),
        ("/red/udp", ""),
        ("/red/private", f"{USER}:{PASSWORD}"),
    ],
)
def test_a_camera_is_on_the_screen(agent: Agent, screen: Screen, cameras: RtspServer, path: str, userinfo: str) -> None:
    """Cameras with H.264 and H.265, with and without sound, over TCP or UDP, with a password: pictures move, and status
    says so."""
    answer = agent.start(cameras.url(path, userinfo=userinfo))
    assert screen.colour_at_centre() == "red"
    wait_moves(screen, "red")
    stream = agent.wait_state("playing")
    assert stream["session_id"] == answer["session_id"]
    assert (stream["engine"], stream["media_type"], stream["stream_type"]) == ("mpv", "video", "live")
    assert (stream["position"], stream["duration"]) == (None, None)
    before = stream["frames_displayed"]
    agent.wait_until(lambda: agent.status()["stream"]["frames_displayed"] > before + 10, 3, "pictures are counted")
    agent.stop()
    assert screen.colour_at_centre() == "black"


@dataclass(frozen=True)
class Case:
    url: str
    """A path of the RTSP server, or a whole URL."""
    code: str
    words: str
    userinfo: str = ""


CASES = [
    Case("rtsp://127.0.0.1:1/camera", "media_network", "refused the connection"),
    Case("rtsp://no-such-host.invalid/camera", "media_network", "cannot be resolved"),
    Case("/nothing", "media_not_found", "answered 404: there is nothing at this address"),
    Case("/red/private", "media_unauthorized", "answered 401: check user name and password"),
    Case("/red/private", "media_unauthorized", "answered 401", userinfo=f"{USER}:wrong"),
    Case("/red/unknown", "media_unsupported", "choose H.264 or H.265"),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.userinfo}@{case.url}")
def test_a_camera_that_fails_has_its_code_and_its_sentence(
    agent: Agent, screen: Screen, cameras: RtspServer, case: Case
) -> None:
    """The waiting caller and /status are told the same, and nothing was seen of it."""
    url = cameras.url(case.url, userinfo=case.userinfo) if case.url.startswith("/") else case.url
    problem = agent.start(url, expect=502)
    assert (problem["code"], case.words in problem["detail"]) == (case.code, True), problem["detail"]
    assert agent.status()["last"]["error"] == {"code": case.code, "message": problem["detail"]}
    assert screen.colour_at_centre() == "black"


@pytest.mark.parametrize("answers", [False, True], ids=["never answers", "never sends"])
def test_a_camera_that_is_silent_from_the_start(agent: Agent, screen: Screen, answers: bool) -> None:
    """After start_timeout people are told to look whether it is switched on and sending."""
    with BrokenCamera(answers=answers) as camera:
        began = time.monotonic()
        problem = agent.start(camera.url, expect=502)
        assert time.monotonic() - began < START_TIMEOUT_S + 1
        assert problem["code"] == "media_network"
        assert "the source on and sending" in problem["detail"]
        assert screen.colour_at_centre() == "black"


def test_a_camera_that_stops_sending_is_noticed_and_taken_up_again(
    agent: Agent, screen: Screen, cameras: RtspServer
) -> None:
    """Its connection stays and its pictures stand: `buffering`, tried again after stall_timeout with the last picture
    on the screen, and moving when it sends again."""
    session_id = agent.start(cameras.url("/red"))["session_id"]
    wait_moves(screen, "red")
    cameras.silence("/red")
    still_since = last_movement(screen, still_for_s=0.5, timeout_s=4)
    agent.wait_state("buffering", STALL_TIMEOUT_S)
    agent.wait_until(lambda: agent.status()["stream"]["attempt"] > 1, STALL_TIMEOUT_S + 1, "it is tried again")
    assert STALL_TIMEOUT_S - 0.5 < time.monotonic() - still_since < STALL_TIMEOUT_S + 1.5
    assert agent.status()["stream"]["error"]["code"] == "media_stalled"
    assert screen.colour_at_centre() == "red"
    cameras.silence("/red", False)
    wait_moves(screen, "red", timeout_s=START_TIMEOUT_S + 4)
    assert agent.wait_state("playing")["session_id"] == session_id


def test_a_camera_that_restarts_comes_back(agent: Agent, screen: Screen, xserver: XServer, clips: Clips) -> None:
    """It loses its power: the last picture stays, and within some seconds of its return it moves again."""
    with RtspServer(clips) as camera:
        agent.start(camera.url("/green"))
        wait_moves(screen, "green")
        with ScreenRecorder(xserver.display) as recorder:
            camera.kill()
            agent.wait_until(lambda: agent.status()["stream"]["attempt"] > 1, 4, "it is tried again")
            camera.start(port=camera.port)
            wait_moves(screen, "green", timeout_s=8)
            agent.wait_state("playing")
            recording = recorder.stop()
        assert recording.colours() == ["green"]
        agent.stop()


def test_switches_between_films_and_cameras_show_no_black(
    agent: Agent, xserver: XServer, cameras: RtspServer, media_server: MediaServer
) -> None:
    """Nothing is black, and nothing else is between, from libVLC to mpv and back, and from camera to camera."""
    order = [
        ("green", cameras.url("/green")),
        ("red", media_server.url("/film/red.mp4")),
        ("blue", cameras.url("/blue/sound")),
        ("green", cameras.url("/green/udp")),
        ("red", cameras.url("/red/h265")),
    ]
    agent.start(media_server.url("/film/blue.mp4"))
    recording = record_switches(xserver.display, agent.start, order)
    assert recording.seconds_of("black") == 0
    assert recording.colours() == ["blue", *(colour for colour, _ in order)]


def test_the_snapshot_shows_the_camera(agent: Agent, cameras: RtspServer) -> None:
    """The picture of mpv is in the picture of the screen."""
    agent.start(cameras.url("/green"))
    picture = Image.open(io.BytesIO(agent.call("GET", "/snapshot").content)).convert("RGB")
    centre: Any = picture.getpixel((picture.width // 2, picture.height // 2))
    assert name_of(centre) == "green"


def test_a_killed_camera_player_is_made_good(agent: Agent, screen: Screen, cameras: RtspServer) -> None:
    """The process dies by SIGKILL: the last picture stays, and a new process takes the camera up again."""
    agent.start(cameras.url("/red"))
    player = agent.player_pid()
    os.kill(player, signal.SIGKILL)
    agent.wait_until(lambda: agent.player_pid() != player, 4, "there is another player")
    agent.wait_state("playing")
    wait_moves(screen, "red")
    assert "signal SIGKILL" in str(agent.log("player_died")[-1])
    assert not Path(f"/proc/{player}").exists()


def test_a_frozen_camera_player_is_noticed_and_replaced(agent: Agent, screen: Screen, cameras: RtspServer) -> None:
    """A process that is stopped is named, not taken for a stalled camera, killed, and replaced."""
    agent.start(cameras.url("/red"))
    player = agent.player_pid()
    agent.wait_state("playing")
    os.kill(player, signal.SIGSTOP)
    agent.wait_until(lambda: agent.status()["stream"]["attempt"] > 1, 7, "it is tried again")
    assert agent.status()["stream"]["error"]["code"] == "player_timeout"
    agent.wait_state("playing")
    wait_moves(screen, "red")
    assert not Path(f"/proc/{player}").exists()


def test_a_killed_daemon_takes_its_camera_players_along(xserver: XServer, cameras: RtspServer) -> None:
    """After kill -9 the mpv on the screen and the spare are gone within 2 s."""
    with Agent(xserver.display, audio__output="none", stream__restore=False) as agent:
        agent.start(cameras.url("/red"))
        agent.wait_until(lambda: len(agent.children()) == 3, 10, "the spares of both engines are there")
        players = [Path(f"/proc/{pid}") for pid in agent.children()]
        assert agent.process is not None
        agent.process.kill()
        agent.process.wait(5)
        agent.process = None
        wait_until(
            lambda: not any(player.exists() for player in players), timeout_s=2, what="players to end with their daemon"
        )


def test_a_warm_start_takes_the_spare(agent: Agent, screen: Screen, cameras: RtspServer) -> None:
    """From the second camera on there is an mpv that runs already."""
    agent.start(cameras.url("/red"))
    on_screen = agent.player_pid()
    agent.wait_until(lambda: len(agent.children()) >= 3, 10, "the spares of both engines are there")
    spares = set(agent.children()) - {on_screen}
    agent.wait_until(lambda: len(agent.log("spare_prepared")) >= 2, 10, "the spare is ready")
    answer = agent.start(cameras.url("/green"))
    assert agent.player_pid() in spares
    assert answer["time_to_first_frame"] < AT_ONCE_S


def test_what_the_table_names_is_played_by_mpv(
    xserver: XServer, pulse: PulseServer, media_server: MediaServer, clips: Clips, tmp_path: Path
) -> None:
    """Films have position, end and seek there too, sound alone is heard from its beginning, and a redirect to a file
    shows nothing of it."""
    secret = shutil.copy(clips.film_mp4("blue", 10, None), tmp_path / "secret.mp4")
    with (
        Agent(xserver.display, env=pulse.env, audio__output="pulse", player__engines='{"http": "mpv"}') as agent,
        Screen(xserver.display) as screen,
    ):
        film = agent.start(media_server.url("/film/red.mp4"), position=4)["session_id"]
        stream = agent.wait_state("playing")
        assert (stream["engine"], stream["stream_type"], round(stream["duration"])) == ("mpv", "buffered", 10)
        assert stream["position"] >= 4
        agent.call("POST", "/seek", {"position": 8.5})
        assert agent.wait_ended(film, 5)["reason"] == "finished"
        sound = agent.start(media_server.file_url(clips.audio_ogg(660, 3)))["session_id"]
        assert agent.status()["stream"]["media_type"] == "audio"
        assert 660 in pulse.record(1.0).heard()
        assert agent.wait_ended(sound, 6)["reason"] == "finished"
        problem = agent.start(media_server.url(f"/redirect?to={quote(f'file://{secret}')}"), expect=502)
        assert problem["code"].startswith("media_")
        assert screen.colour_at_centre() == "black"
        assert agent.health()["checks"]["player"]["features"]["mpv_confinement"] != ""


def test_credentials_stay_out_of_the_log(agent: Agent, cameras: RtspServer) -> None:
    """Neither a camera that plays nor one that refuses leaves its password in log, status or process list."""
    agent.start(cameras.url("/red/private", userinfo=f"{USER}:{PASSWORD}"))
    seen = str(agent.status()) + Path(f"/proc/{agent.player_pid()}/cmdline").read_text()
    agent.start(cameras.url("/nothing", userinfo=f"{USER}:{PASSWORD}"), expect=502)
    agent.start(cameras.url("/red/private", userinfo=f"{USER}:{PASSWORD}x"), expect=502)
    agent.stop(all=True)
    assert PASSWORD not in seen + str(agent.status()) + (agent.folder / "log").read_text()


def test_where_mpv_is_missing_people_are_told(
    xserver: XServer, cameras: RtspServer, media_server: MediaServer, clips: Clips, tmp_path: Path
) -> None:
    """A start of a camera is refused at once with what to install, and so is a film that libVLC cannot decode,
    with the reason; health says it too."""
    with Agent(xserver.display, audio__output="none", env={"PATH": str(tmp_path)}) as agent:
        answer = agent.call("POST", "/start", {"url": cameras.url("/red")})
        assert (answer.status, answer.json["code"]) == (503, "player_unavailable")
        assert "apt install mpv" in answer.json["detail"]
        check = agent.health()["checks"]["player"]
        assert (check["status"], check["features"]["mpv"], check["features"]["rtsp"]) == ("ok", False, False)
        assert "apt install mpv" in check["message"]
        detail = agent.start(media_server.file_url(clips.magicyuv_avi()), expect=502)["detail"]
        assert "This libVLC has no decoder for" in detail
        assert "mpv might play it. mpv is not installed (Debian: apt install mpv)." in detail


def test_the_sound_of_a_camera_is_heard_with_its_picture(
    xserver: XServer, pulse: PulseServer, cameras: RtspServer
) -> None:
    """It holds no device while it is prepared; then its tone is heard, and no longer once it is muted."""
    with Agent(xserver.display, env=pulse.env, audio__output="pulse") as agent, Screen(xserver.display) as screen:
        with pulse.listen() as listener:
            agent.start(cameras.url("/red/sound"))
            wait_colour(screen, "red")
            agent.wait_until(lambda: 440 in listener.heard().heard(), 5, "its tone is heard")
        agent.call("POST", "/volume", {"muted": True})
        agent.wait_until(lambda: pulse.record(0.5).heard() == set(), 5, "nothing is heard any more")
