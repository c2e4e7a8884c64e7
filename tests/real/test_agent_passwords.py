"""Passwords in addresses: who gets them in which way, and the error if they are wrong."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.agent import Agent
from tests.support.digest import PASSWORD, USER
from tests.support.digest_gate import DigestGate
from tests.support.leaks import LeakCheck
from tests.support.looking import wait_moves
from tests.support.media_server import MediaServer
from tests.support.rtsp_server import RtspServer
from tests.support.screen import Screen
from tests.support.xserver import XServer

RIGHT, WRONG = f"{USER}:{PASSWORD}", f"{USER}:wrong"


@pytest.fixture(scope="module")
def shared(xserver: XServer, leaks: LeakCheck) -> Iterator[Agent]:
    with Agent(xserver.display, audio__output="none", player__start_timeout=8) as agent:
        leaks.own_pids(lambda: agent.pids)
        yield agent


@pytest.mark.parametrize(
    ("methods", "what", "engine"),
    [("MD5", "mjpeg", "mpv"), ("Basic", "film.mp4", "vlc"), ("MD5,Basic", "film.mp4", "vlc")],
)
def test_a_password_is_told_in_the_way_that_it_is_asked_for(
    agent: Agent, screen: Screen, media_server: MediaServer, methods: str, what: str, engine: str
) -> None:
    """A camera that asks for a digest never hears the password itself, and no camera hears it unasked."""
    media_server.reset()
    agent.start(media_server.url(f"/digest/{methods}/{what}", userinfo=RIGHT))
    wait_moves(screen, "cyan" if what == "mjpeg" else "red")
    assert agent.status()["stream"]["engine"] == engine
    requests = media_server.requests("/digest")
    said = [request.headers.get("authorization", "") for request in requests]
    assert said[0] == ""
    if "Basic" not in methods:
        assert not [each for each in said if each.startswith("Basic")]
    assert not [each for each in requests if "authorization" in each.headers and each.status == 401]


@pytest.mark.parametrize("methods", ["MD5", "Basic", "MD5,Basic"])
def test_a_wrong_password_is_named_at_once_and_not_tried_again(
    agent: Agent, media_server: MediaServer, methods: str
) -> None:
    media_server.reset()
    problem = agent.start(media_server.url(f"/digest/{methods}/mjpeg", userinfo=WRONG), expect=502)
    assert (problem["code"], "check user name and password" in problem["detail"]) == ("media_unauthorized", True)
    tries = [request for request in media_server.requests("/digest") if request.headers.get("authorization")]
    assert 1 <= len(tries) <= 2


def test_a_digest_that_no_player_knows_is_named(agent: Agent, media_server: MediaServer) -> None:
    """People are told of it: FFmpeg before 8 knows MD5 only, and libVLC knows no digest."""
    problem = agent.start(media_server.url("/digest/SHA-256/mjpeg", userinfo=RIGHT), expect=502)
    assert (problem["code"], "SHA-256" in problem["detail"]) == ("media_unauthorized", True), problem


@pytest.mark.parametrize("offered", [["MD5", "SHA-256"], ["SHA-256", "MD5"], ["MD5"]])
def test_a_camera_that_knows_sha_256_is_told_an_md5_digest(
    agent: Agent, screen: Screen, cameras: RtspServer, offered: list[str]
) -> None:
    """FFmpeg would take the last of several digests, and say nothing if it does not know the algorithm."""
    with DigestGate(cameras.port, offered) as gate:
        agent.start(gate.url("/red", userinfo=RIGHT))
        wait_moves(screen, "red")
        assert not [proof for proof in gate.proofs if proof and "Digest" not in proof]
        agent.stop()


@pytest.mark.parametrize(
    ("offered", "userinfo", "words", "proofs"),
    [
        (["MD5", "SHA-256"], WRONG, "check user name and password", 1),
        (["MD5"], WRONG, "check user name and password", 1),
        (["SHA-256"], RIGHT, "by SHA-256 digest only", 0),
    ],
)
def test_a_camera_that_lets_nobody_in_says_why(
    agent: Agent, cameras: RtspServer, offered: list[str], userinfo: str, words: str, proofs: int
) -> None:
    """A wrong password is sent only once."""
    with DigestGate(cameras.port, offered) as gate:
        problem = agent.start(gate.url("/red", userinfo=userinfo), expect=502)
        assert (problem["code"], words in problem["detail"]) == ("media_unauthorized", True)
        assert len([proof for proof in gate.proofs if proof]) == proofs
