"""A film from a machine that is known by its name in `.local` alone, on a box whose system knows no such names."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.avahi import Avahi
from tests.support.clips import Clips
from tests.support.lan import Lan, LanAgent, LanError, Machine
from tests.support.leaks import LeakCheck
from tests.support.looking import wait_moves
from tests.support.screen import Screen
from tests.support.tools import end, wait_until
from tests.support.xserver import XServer

ADDRESS, PORT = "10.77.0.90", 8000
READY_S = 15.0
UNKNOWN_S = 6.0
"""mDNS is asked for 3 s, once more after a failure that may pass; it was 14 s until the DNS server was blamed."""


def serves(nas: Machine) -> bool:
    with contextlib.suppress(OSError), nas.inside(), socket.create_connection((ADDRESS, PORT), 1):
        return True
    return False


@pytest.fixture(scope="module")
def agent(xserver: XServer, clips: Clips, leaks: LeakCheck) -> Iterator[LanAgent]:
    film = clips.film_mp4("green")
    with ExitStack() as running:
        try:
            lan = running.enter_context(Lan())
        except LanError as error:
            pytest.skip(f"NOT TESTED: whether names in .local are found. That needs networks of our own ({error})")
        nas = lan.machine(f"{ADDRESS}/24")
        avahi = running.enter_context(Avahi(nas, host="nas"))
        # Avahi asks for a second whether the name is taken before it answers to it, and begins late on a busy machine.
        wait_until(lambda: avahi.resolve("nas.local") == ADDRESS, timeout_s=READY_S, what="the name of the machine")
        serve = [*nas.prefix, sys.executable, "-m", "http.server", str(PORT), "--directory", str(film.parent)]
        server = subprocess.Popen(serve, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        running.callback(end, server)
        wait_until(lambda: serves(nas), timeout_s=READY_S, what="the server of the film")
        box = lan.machine("10.77.0.91/24")
        agent = running.enter_context(
            LanAgent(
                box,
                config=f'[[webhook]]\nurl = "http://nas.local:{PORT}/hook"\n',
                display__display=xserver.display,
                audio__output="none",
                player__start_timeout=4,
            )
        )
        leaks.own_pids(lambda: {*agent.pids, *avahi.pids, server.pid})
        yield agent


def test_a_name_in_local_is_found(agent: LanAgent, xserver: XServer, clips: Clips) -> None:
    """The film plays, and it is reported under the name that was given."""
    url = f"http://nas.local:{PORT}/{Path(clips.film_mp4('green')).name}"
    agent.start(url)
    with Screen(xserver.display) as screen:
        wait_moves(screen, "green")
    assert agent.status()["stream"]["url"] == url
    assert agent.log("local_name_resolved")[0]["address"] == ADDRESS


def test_a_name_that_nobody_has_is_told(agent: LanAgent) -> None:
    """The failure comes soon, and does not blame the DNS server, which has nothing to do with such names."""
    began = time.monotonic()
    problem = agent.start("rtsp://nobody.local/ch0", expect=502)
    assert "No device on the network answers to the name 'nobody.local'" in problem["detail"]
    assert time.monotonic() - began < UNKNOWN_S


def test_a_webhook_to_a_name_in_local_arrives(agent: LanAgent) -> None:
    """The server there answers, even if it wants no such call."""

    def problem() -> str:
        return str(agent.status()["webhooks"][0]["problem"])

    agent.wait_until(lambda: "nas.local:8000 answered 501" in problem(), 10, "the server's answer is told")
