"""The messages to systemd, on a real socket."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from cast_util.notify import Notifier

SOON_S = 5.0


class Manager:
    """The other end: the service manager's socket."""

    def __init__(self, address: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(address)
        self.socket.settimeout(SOON_S)

    def hears(self) -> str:
        return self.socket.recv(4096).decode()

    def drain(self) -> None:
        with contextlib.suppress(BlockingIOError, TimeoutError):
            while True:
                self.socket.recv(4096, socket.MSG_DONTWAIT)


@pytest.fixture
def address(tmp_path: Path) -> str:
    return str(tmp_path / "notify")


@pytest.fixture
def manager(address: str) -> Iterator[Manager]:
    manager = Manager(address)
    yield manager
    manager.socket.close()


@pytest.fixture
async def notifier(manager: Manager, address: str) -> Notifier:
    notifier = Notifier({"NOTIFY_SOCKET": address})
    notifier.start()
    return notifier


async def test_the_life_of_a_daemon_is_told(notifier: Notifier, manager: Manager) -> None:
    notifier.ready()
    assert manager.hears() == "READY=1"
    notifier.reloading()
    assert manager.hears().startswith("RELOADING=1\nMONOTONIC_USEC=")
    notifier.stopping()
    assert manager.hears() == "STOPPING=1"
    notifier.close()
    notifier.ready()  # nobody is told any more
    notifier.close()


async def test_what_is_on_is_told_once(notifier: Notifier, manager: Manager) -> None:
    notifier.show("Idle")
    notifier.show("Idle")
    notifier.show("On screen: Front door")
    assert [manager.hears(), manager.hears()] == ["STATUS=Idle", "STATUS=On screen: Front door"]
    notifier.close()


async def test_signs_of_life_come_from_the_loop_and_stop_with_it(manager: Manager, address: str) -> None:
    notifier = Notifier({"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "90000", "WATCHDOG_PID": str(os.getpid())})
    notifier.start()
    assert manager.hears() == "WATCHDOG=1"
    for _ in range(3):
        async with asyncio.timeout(SOON_S):
            assert await asyncio.to_thread(manager.hears) == "WATCHDOG=1"
    notifier.close()
    manager.socket.settimeout(0.2)
    manager.drain()
    with pytest.raises(TimeoutError):
        await asyncio.to_thread(manager.hears)


@pytest.mark.parametrize("watchdog", [{"WATCHDOG_USEC": "90000", "WATCHDOG_PID": "1"}, {"WATCHDOG_USEC": "soon"}, {}])
async def test_who_is_not_watched_gives_no_signs(manager: Manager, address: str, watchdog: dict[str, str]) -> None:
    notifier = Notifier({"NOTIFY_SOCKET": address} | watchdog)
    notifier.start()
    manager.socket.settimeout(0.2)
    with pytest.raises(TimeoutError):
        await asyncio.to_thread(manager.hears)
    notifier.close()


async def test_an_abstract_socket_is_one_too() -> None:
    manager = Manager(name := f"\0cast-agent-test-{os.getpid()}")
    notifier = Notifier({"NOTIFY_SOCKET": "@" + name[1:]})
    notifier.start()
    notifier.ready()
    assert manager.hears() == "READY=1"
    notifier.close()
    manager.socket.close()


async def test_our_processes_do_not_speak_for_us(address: str) -> None:
    environment = {"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "1", "WATCHDOG_PID": "1", "LANG": "C"}
    Notifier(environment)
    assert environment == {"LANG": "C"}


@pytest.mark.parametrize("environment", [{}, {"NOTIFY_SOCKET": "vsock:2:1234"}])
async def test_without_a_service_manager_nothing_is_said(environment: dict[str, str]) -> None:
    notifier = Notifier(environment)
    notifier.start()
    with capture_logs() as logs:
        notifier.ready()
        notifier.close()
    assert not logs


async def test_a_manager_that_does_not_listen_is_no_reason_to_wait(notifier: Notifier) -> None:
    with capture_logs() as logs:
        for number in range(2000):  # more than the socket holds
            notifier.show(str(number))
    levels = [entry["log_level"] for entry in logs]
    assert levels
    assert levels[0] == "warning"
    assert set(levels[1:]) == {"debug"}
    notifier.close()
