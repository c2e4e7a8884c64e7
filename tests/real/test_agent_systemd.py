"""The daemon as systemd sees it, on a real notify socket; and what systemd says of the units."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from aioesphomeapi.client import APIClient

from agent.frontends.esphome.key import KeyFile
from tests.support.agent import Agent
from tests.support.clips import Clips
from tests.support.esphome import KEY, text
from tests.support.leaks import LeakCheck
from tests.support.media_server import MediaServer
from tests.support.sockets import free_port
from tests.support.tools import need
from tests.support.xserver import XServer

UNITS = Path(__file__).parents[2] / "systemd"
HEARD_S = 10.0
WATCHDOG_S = 1.2


class Manager:
    """The service manager's socket, and the messages that came in at it with their times."""

    def __init__(self, path: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        self.heard: list[tuple[float, str]] = []

    def listen(self, until: str, timeout_s: float = HEARD_S) -> float:
        """Hear everything up to a message that begins so; the time at which it came."""
        deadline = time.monotonic() + timeout_s
        while True:
            self.socket.settimeout(max(0.01, deadline - time.monotonic()))
            message = self.socket.recv(4096).decode()
            self.heard.append((time.monotonic(), message))
            if message.startswith(until):
                return self.heard[-1][0]

    def listen_for(self, seconds: float) -> None:
        """Hear everything for so long."""
        try:
            self.listen("never", seconds)
        except TimeoutError:
            return


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    manager = Manager(tmp_path / "notify")
    yield manager
    manager.socket.close()


@pytest.fixture
def agent(xserver: XServer, leaks: LeakCheck, manager: Manager, tmp_path: Path) -> Iterator[Agent]:
    watchdog = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": str(int(WATCHDOG_S * 1e6))}
    with Agent(xserver.display, env=watchdog) as agent:
        leaks.own_pids(lambda: agent.pids)
        yield agent


def test_systemd_is_told_all_that_it_wants_to_know(
    agent: Agent, manager: Manager, media_server: MediaServer, clips: Clips
) -> None:
    """systemd is told READY once requests are answered, what is on, signs of life while a player hangs, and STOPPING;
    in this order."""
    manager.listen("READY=1")
    agent.start(media_server.file_url(clips.film_mp4("red")), title="A film")
    manager.listen("STATUS=On screen: A film")

    os.kill(agent.player_pid(), signal.SIGSTOP)  # the agent ends it, and plays on with another
    manager.heard.clear()
    manager.listen_for(2 * WATCHDOG_S)
    signs = [at for at, message in manager.heard if message == "WATCHDOG=1"]
    assert len(signs) >= 3, "the players' health is not the loop's"
    assert max(after - before for before, after in itertools.pairwise(signs)) < WATCHDOG_S

    agent.stop()
    manager.listen("STATUS=Idle")
    agent.terminate()
    manager.listen("STOPPING=1")


def test_a_stuck_event_loop_is_heard_as_silence(agent: Agent, manager: Manager) -> None:
    manager.listen("READY=1")
    os.kill(agent.pid, signal.SIGSTOP)
    try:
        manager.listen_for(0.5)  # what was on its way
        manager.heard.clear()
        manager.listen_for(2 * WATCHDOG_S)
    finally:
        os.kill(agent.pid, signal.SIGCONT)
    assert not manager.heard
    manager.listen("WATCHDOG=1")


def units(folder: Path) -> list[Path]:
    """Copies of the units that run a program which is there on every machine."""
    copies = []
    for unit in sorted(UNITS.glob("*.service")):
        text = "\n".join(
            "ExecStart=/bin/true" if line.startswith("ExecStart=") else line for line in unit.read_text().splitlines()
        )
        copies.append(folder / unit.name)
        copies[-1].write_text(text)
    return copies


def test_the_units_are_understood(tmp_path: Path) -> None:
    need("systemd-analyze")
    checked = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", *units(tmp_path)],
        capture_output=True,
        text=True,
    )
    assert checked.returncode == 0, checked.stderr
    assert "cast-" not in checked.stderr, checked.stderr


@pytest.mark.parametrize("unit", ["cast-agent.service", "cast-central.service"])
def test_the_daemon_is_shut_in(unit: str) -> None:
    """The exposure is at most 3.0, by systemd's own count."""
    need("systemd-analyze")
    judged = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--threshold=30", UNITS / unit],
        capture_output=True,
        text=True,
    )
    assert judged.returncode == 0, judged.stdout[-200:] + judged.stderr


async def test_home_assistant_restarts_what_systemd_starts_again(
    leaks: LeakCheck, manager: Manager, tmp_path: Path
) -> None:
    """Its button ends the agent as systemd does, so that what is on comes back."""
    port = free_port()
    env = {"NOTIFY_SOCKET": str(tmp_path / "notify")}
    agent = Agent(None, env=env, esphome__enabled=True, esphome__port=port)
    KeyFile(agent.folder / "state").add(KEY)
    with agent:
        leaks.own_pids(lambda: agent.pids)
        client = APIClient("127.0.0.1", port, None, noise_psk=text(KEY))
        await client.connect()
        entities, _ = await client.list_entities_services()
        [button] = [entity for entity in entities if entity.name == "Restart"]
        client.button_command(button.key)
        assert agent.process is not None
        assert await asyncio.to_thread(agent.process.wait, HEARD_S) == 0
        await client.disconnect(force=True)
        manager.listen("STOPPING=1")
