"""Certificates: what is not trusted is not played, whichever player and protocol; what the system trusts is."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.agent import Agent
from tests.support.broken_camera import BrokenCamera
from tests.support.clips import Clips
from tests.support.leaks import LeakCheck
from tests.support.looking import wait_moves
from tests.support.media_server import MediaServer
from tests.support.rtsp_server import PASSWORD, USER, RtspServer
from tests.support.screen import Screen
from tests.support.sockets import free_port
from tests.support.tls import Certificate, TlsFront, make_certificate, python_that_trusts
from tests.support.tools import end, need
from tests.support.xserver import XServer

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can put a certificate before the others")


SAID = {
    # FFmpeg does not say whether it is only the clock, and libVLC not even what FFmpeg says.
    ("mpv", "https"): ("media_network", "update-ca-certificates"),
    ("mpv", "rtmps"): ("media_network", "update-ca-certificates"),
    ("vlc", "rtmps"): ("media_network", "certificate is not trusted"),
}
"""The codes of failures that are not simply forbidden."""


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return make_certificate(tmp_path_factory.mktemp("certificate"))


@dataclass(frozen=True)
class Fronts:
    https: TlsFront
    rtsps: TlsFront
    rtmps: TlsFront

    def urls(self, host: str) -> dict[str, str]:
        return {
            "https": f"https://{host}:{self.https.port}/film/green.mp4",
            "rtsps": f"rtsps://{USER}:{PASSWORD}@{host}:{self.rtsps.port}/red/private",
            "rtmps": f"rtmps://{host}:{self.rtmps.port}/live/blue",
        }


@pytest.fixture(scope="module")
def fronts(certificate: Certificate, clips: Clips, media_server: MediaServer, leaks: LeakCheck) -> Iterator[Fronts]:
    with leaks.adopting():
        cameras = RtspServer(clips)
        cameras.start()
    leaks.own_pids(lambda: cameras.pids)
    with (
        leaks.adopting(),
        TlsFront(certificate, before=media_server.port) as https,
        TlsFront(certificate, before=cameras.port) as rtsps,
        TlsFront(certificate, before=free_port()) as rtmps,
    ):
        yield Fronts(https, rtsps, rtmps)
    cameras.stop()


def test_a_certificate_that_is_not_trusted_is_refused(xserver: XServer, fronts: Fronts) -> None:
    """Nothing is sent over a self-signed certificate, above all no password, whether over https in both players or over
    rtsps. The start fails at once, and the sentence says what to do."""
    for engine in ("vlc", "mpv"):
        engines = f'{{"https": "{engine}", "rtmps": "{engine}"}}'
        with Agent(xserver.display, audio__output="none", player__engines=engines, stream__retry=False) as agent:
            for scheme, url in fronts.urls("localhost").items():
                code, words = SAID.get((engine, scheme), ("media_forbidden", "update-ca-certificates"))
                problem = agent.start(url, expect=502)
                assert problem["code"] == code, (engine, scheme)
                assert words in problem["detail"], (engine, scheme)
    assert (fronts.https.received, fronts.rtsps.received, fronts.rtmps.received) == (0, 0, 0)


def test_no_redirect_leads_around_it(xserver: XServer, fronts: Fronts) -> None:
    """A camera that redirects to an address over TLS: mpv would take any certificate there, so it is not followed."""
    received = fronts.rtsps.received
    with (
        Agent(xserver.display, audio__output="none") as agent,
        BrokenCamera(leads_to=fronts.urls("localhost")["rtsps"]) as camera,
    ):
        problem = agent.start(camera.url, expect=502)
        assert (problem["code"], "not followed" in problem["detail"]) == ("media_forbidden", True)
    assert fronts.rtsps.received == received


def test_what_the_system_trusts_is_played(
    xserver: XServer,
    fronts: Fronts,
    certificate: Certificate,
    clips: Clips,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The same certificate among those of the system: all three protocols play, confined. Under another name it is
    refused all the same, and the sentence says that the name is wrong."""
    monkeypatch.setattr(sys, "executable", python_that_trusts(certificate, tmp_path))
    with (
        Agent(xserver.display, audio__output="none", player__start_timeout=5) as agent,
        Screen(xserver.display) as screen,
    ):
        urls = fronts.urls("localhost")
        for colour, url in (("green", urls["https"]), ("red", urls["rtsps"])):
            agent.start(url)
            wait_moves(screen, colour)
        with rtmp_server(clips.film_mp4("blue"), fronts.rtmps.before):
            agent.start(urls["rtmps"])
            wait_moves(screen, "blue")
        agent.stop(all=True)
        for scheme, url in fronts.urls("127.0.0.1").items():
            problem = agent.start(url, expect=502)
            assert problem["code"] == "media_forbidden", scheme
            assert "another name" in problem["detail"], scheme
        assert agent.log("mpv_refused") == []
        assert PASSWORD not in (agent.folder / "log").read_text()


@contextlib.contextmanager
def rtmp_server(film: Path, port: int) -> Iterator[None]:
    """A server for one client. A client that comes too early is refused, and tries again."""
    live = ["-nostdin", "-v", "error", "-re", "-stream_loop", "-1", "-i", str(film), "-c", "copy", "-f", "flv"]
    process = subprocess.Popen([need("ffmpeg"), *live, "-listen", "1", f"rtmp://127.0.0.1:{port}/live/blue"])
    try:
        yield
    finally:
        end(process)
