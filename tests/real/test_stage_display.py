"""The display as it comes and goes: real X servers that are killed, frozen, missing and closed to us."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from agent.errors import PlayerUnavailableError
from agent.health import DisplayHealth
from agent.stage import x11 as x11_module
from agent.stage.connection import Connection
from agent.stage.cookies import cookies
from agent.stage.displays import DisplayAddress, addresses
from agent.stage.x11 import X11Stage
from tests.support.authority import private_display
from tests.support.painter import Painter
from tests.support.screen import Screen
from tests.support.tools import until
from tests.support.xserver import XServer, wait_answers

AT_ONCE_S = 1.0
HANG_NOTICED_S = 10.0
BACK_S = 8.0
"""The time for a retry every second, and for a server that has to start on a busy machine."""
STOP_S = 3.0


class Watched:
    """A started stage and what it said of its display."""

    def __init__(self, stage: X11Stage) -> None:
        self.stage = stage
        self.changes: asyncio.Queue[DisplayHealth] = asyncio.Queue()
        stage.on_change = self.changes.put_nowait

    async def change(self, within_s: float) -> DisplayHealth:
        return await asyncio.wait_for(self.changes.get(), within_s)


@asynccontextmanager
async def watching(stage: X11Stage) -> AsyncIterator[Watched]:
    watched = Watched(stage)
    await stage.start()
    try:
        yield watched
    finally:
        await stage.stop()


async def test_a_killed_server_is_noticed_and_found_again(mortal: XServer) -> None:
    """Every window is lost at once when the X server dies, and the stage comes back with the server."""
    async with watching(X11Stage(mortal.display, "black")) as watched:
        stage = watched.stage
        assert (await watched.change(AT_ONCE_S)).available
        windows = [await stage.open_window() for _ in range(3)]
        pixel = asyncio.create_task(windows[0].first_pixel(pictures=lambda: 0))
        await asyncio.sleep(0)

        mortal.kill()
        await asyncio.wait_for(asyncio.gather(*(window.lost() for window in windows)), AT_ONCE_S)
        with pytest.raises(PlayerUnavailableError):
            await asyncio.wait_for(pixel, AT_ONCE_S)
        lost = await watched.change(AT_ONCE_S)
        assert not lost.available
        assert "went away" in lost.message
        assert not stage.health.available
        with pytest.raises(PlayerUnavailableError):
            await stage.open_window()
        with pytest.raises(PlayerUnavailableError):
            await stage.snapshot()
        with pytest.raises(PlayerUnavailableError):
            await windows[1].show()
        for window in windows:
            await asyncio.wait_for(window.close(), AT_ONCE_S)

        mortal.start()
        assert (await watched.change(BACK_S)).available
        window = await stage.open_window()
        with Painter(mortal.display, window.xid) as painter, Screen(mortal.display) as screen:
            painter.fill("green")
            await asyncio.wait_for(window.first_pixel(pictures=lambda: 0), BACK_S)
            await window.show()
            assert screen.colour_at_centre() == "green"


async def test_a_system_without_threads_is_told_of_and_costs_no_descriptor(
    xserver: XServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its message comes however often it is tried in vain; once there are threads again the display is taken."""
    monkeypatch.setattr(x11_module, "RETRY_S", 0.01)
    tries = 0

    def refuse(thread: threading.Thread) -> None:
        nonlocal tries
        tries += 1
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as without:
        without.setattr(threading.Thread, "start", refuse)
        stage = X11Stage(xserver.display, "black")
        await stage.start()
        assert "can't start new thread" in stage.health.message
        before = len(os.listdir("/proc/self/fd"))
        await until(lambda: tries > 20, timeout_s=STOP_S)
        assert len(os.listdir("/proc/self/fd")) <= before + 1, "at most the try that is under way"
    await until(lambda: stage.health.available, timeout_s=STOP_S)
    await stage.stop()


async def test_a_frozen_server_is_noticed(mortal: XServer) -> None:
    """A server that is stopped counts as gone within 10 s, and the stage is back when it goes on."""
    async with watching(X11Stage(mortal.display, "black")) as watched:
        await watched.change(AT_ONCE_S)
        window = await watched.stage.open_window()
        mortal.pause()
        try:
            health = await watched.change(HANG_NOTICED_S)
            assert not health.available
            assert "does not answer" in health.message
            await asyncio.wait_for(window.lost(), AT_ONCE_S)
        finally:
            mortal.resume()
        assert (await watched.change(BACK_S)).available


@pytest.mark.parametrize("asked", ["nothing", "open", "snapshot", "close"])
async def test_stop_does_not_wait_for_a_frozen_server(mortal: XServer, asked: str) -> None:
    """stop() returns within 3 s while the server hangs, whatever was asked of the server."""
    async with watching(X11Stage(mortal.display, "black")) as watched:
        stage = watched.stage
        window = await stage.open_window()
        mortal.pause()
        calls = {"open": stage.open_window, "snapshot": stage.snapshot, "close": window.close}
        task = asyncio.create_task(calls[asked]()) if asked in calls else None  # type: ignore[operator]
        await asyncio.sleep(0.05)  # it has been asked by then, and hangs
        began = time.monotonic()
        await stage.stop()
        assert time.monotonic() - began < STOP_S
        if task is not None:
            results: list[object] = await asyncio.gather(task, return_exceptions=True)
            [result] = results
            assert result is None or isinstance(result, PlayerUnavailableError)
        mortal.resume()


async def test_a_call_to_a_frozen_server_is_bounded(mortal: XServer) -> None:
    """A call that a hung server does not answer fails after 2 s and gives the display up."""
    async with watching(X11Stage(mortal.display, "black")) as watched:
        mortal.pause()
        try:
            with pytest.raises(PlayerUnavailableError):
                await asyncio.wait_for(watched.stage.open_window(), STOP_S)
        finally:
            mortal.resume()


async def test_start_without_a_display_returns_and_goes_on_looking(tmp_path: Path) -> None:
    """With no X server at all, start() returns, health says what to do, and stop() is idempotent."""
    stage = X11Stage(None, "black", environ={}, sockets=tmp_path)
    await stage.start()
    assert not stage.health.available
    assert "Start a desktop session or an X server" in stage.health.message
    with pytest.raises(PlayerUnavailableError, match="no X server"):
        await stage.open_window()
    await stage.stop()
    await stage.stop()


async def test_a_display_that_appears_is_taken(tmp_path: Path) -> None:
    """A stage that was started without a display takes the first one that comes."""
    async with watching(X11Stage(None, "black", environ={}, sockets=tmp_path)) as watched:
        assert watched.changes.empty()
        with XServer() as server:
            number = server.display[1:]
            (tmp_path / f"X{number}").symlink_to(f"/tmp/.X11-unix/X{number}")
            health = await watched.change(BACK_S)
            assert health == DisplayHealth(True, server.display, 640, 360)


async def test_the_first_display_that_answers_counts(tmp_path: Path, mortal: XServer) -> None:
    """Sockets without a server, and servers that are frozen, are passed over."""
    (tmp_path / "X1").touch()
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(tmp_path / "X2"))
        silent.listen()
        number = int(mortal.display[1:]) + 10
        (tmp_path / f"X{number}").symlink_to(f"/tmp/.X11-unix/X{mortal.display[1:]}")
        async with watching(X11Stage(None, "black", environ={}, sockets=tmp_path)) as watched:
            assert watched.stage.health.available
            assert watched.stage.health.display == f":{number}"


async def test_a_close_that_is_cancelled_closes_all_the_same(tmp_path: Path) -> None:
    """The agent that ends cancels whoever closes a connection just then; its socket must not be left to Python."""
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(tmp_path / "X2"))
        silent.listen()
        before = set(os.listdir("/proc/self/fd"))
        connection = Connection(on_event=lambda event: None, on_lost=lambda: None)
        opening = asyncio.create_task(connection.open([DisplayAddress(2, 0, tmp_path / "X2")], {}))
        taken, _ = await asyncio.to_thread(silent.accept)
        with taken:
            closing = asyncio.create_task(connection.close())
            await asyncio.sleep(0)
            closing.cancel()
            await asyncio.wait([opening, closing])
        assert isinstance(opening.exception(), PlayerUnavailableError)
        assert closing.cancelled()
        assert set(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize("family", ["local", "wild"])
async def test_authorisation(tmp_path: Path, family: str) -> None:
    """A display that wants a cookie is opened with it, and without it the message says what to do."""
    authority = tmp_path / "authority"
    cookie = bytes.fromhex("3a" * 16)  # ":" all over: it must not be taken for a separator
    owner = (b"\1\0", socket.gethostname().encode()) if family == "local" else (b"\xff\xff", b"")
    parts = (owner[1], b"", b"MIT-MAGIC-COOKIE-1", cookie)
    authority.write_bytes(owner[0] + b"".join(len(part).to_bytes(2, "big") + part for part in parts))
    with private_display(authority.read_bytes(), tmp_path) as display:
        environ = {"XAUTHORITY": str(authority)}
        async with watching(X11Stage(display, "black", environ=environ)) as watched:
            assert watched.stage.health.available
        async with watching(X11Stage(display, "black", environ={"HOME": str(tmp_path)})) as watched:
            message = watched.stage.health.message
            assert "refuses cast-agent" in message
            assert "XAUTHORITY" in message
            assert "xhost +si:localuser:" in message


def test_the_order_of_looking(tmp_path: Path) -> None:
    """The setting comes first, then $DISPLAY, then every socket by its number."""
    for number in (10, 2, 0):
        (tmp_path / f"X{number}").touch()
    (tmp_path / "X1-lock").touch()

    def names(display: str | None, environ: dict[str, str]) -> list[str]:
        return [address.name for address in addresses(display, environ, tmp_path)]

    assert names(":2", {"DISPLAY": ":10"}) == [":2"]
    assert names(None, {"DISPLAY": "unix:10.1"}) == [":10.1"]
    assert names(None, {"DISPLAY": ""}) == [":0", ":2", ":10"]


@pytest.mark.parametrize("name", ["localhost:10.0", "example.org:0", "0", ":", ":0.0.0", ":x"])
def test_other_machines_are_not_asked(tmp_path: Path, name: str) -> None:
    """A display that is not one of this machine is refused in words, without asking any resolver."""
    with pytest.raises(PlayerUnavailableError, match="of this machine"):
        addresses(name, {}, tmp_path)


def test_a_named_display_that_is_not_there(tmp_path: Path) -> None:
    """The message says where the name came from and what is missing."""
    with pytest.raises(PlayerUnavailableError, match=r"no X server on the display :7 \(from \$DISPLAY"):
        addresses(None, {"DISPLAY": ":7"}, tmp_path)


@pytest.mark.parametrize("by", ["name", "socket"])
def test_wayland_without_xwayland(tmp_path: Path, by: str) -> None:
    """In a Wayland session without XWayland the message says how to get it."""
    if by == "name":
        environ = {"WAYLAND_DISPLAY": "wayland-1"}
    else:
        environ = {"XDG_RUNTIME_DIR": str(tmp_path)}
        with socket.socket(socket.AF_UNIX) as compositor:
            compositor.bind(str(tmp_path / "wayland-1"))
        (tmp_path / "wayland-1.lock").touch()
    with pytest.raises(PlayerUnavailableError, match=r"wayland-1.*without XWayland.*apt install xwayland"):
        addresses(None, environ, tmp_path / "none")


@pytest.mark.parametrize("length", range(0, 40, 3))
def test_a_broken_authority_file_is_no_cookie(tmp_path: Path, length: int) -> None:
    """An Xauthority file that is cut short, or is not there, is the same as none."""
    whole = b"\xff\xff\0\0\0\0" + b"\0\x12MIT-MAGIC-COOKIE-1" + b"\0\x10" + bytes(16)
    (tmp_path / "authority").write_bytes(whole[:length])
    found = cookies(0, {"XAUTHORITY": str(tmp_path / "authority")}, root=tmp_path)
    assert all(len(cookie.data) <= 16 for cookie in found)
    assert [cookie.name for cookie in cookies(0, {"XAUTHORITY": str(tmp_path / "none")}, root=tmp_path)] == [b""]


async def test_a_restart_within_a_second_is_survived(mortal: XServer) -> None:
    """A display manager that restarts its server costs the windows, not the stage."""
    async with watching(X11Stage(mortal.display, "black")) as watched:
        await watched.change(AT_ONCE_S)
        mortal.restart()
        wait_answers(mortal.display)
        assert not (await watched.change(AT_ONCE_S)).available
        assert (await watched.change(BACK_S)).available
