"""The stage on unusual screens: few colours, blanked ones."""

from __future__ import annotations

import asyncio
import io
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import pytest
import xcffib
import xcffib.screensaver
import xcffib.xproto
from PIL import Image

from agent.stage.x11 import X11Stage
from tests.support.colours import name_of
from tests.support.painter import Painter
from tests.support.tools import end, need, until
from tests.support.xserver import XServer

SOON_S = 3.0
ON, OFF = xcffib.screensaver.State.On, xcffib.screensaver.State.Off


@asynccontextmanager
async def on_stage(display: str) -> AsyncIterator[X11Stage]:
    stage = X11Stage(display, "black")
    await stage.start()
    try:
        yield stage
    finally:
        await stage.stop()


@contextmanager
def screen_of_depth(depth: int) -> Iterator[str]:
    command = [need("Xvfb"), "-screen", "0", f"322x200x{depth}", "-nolisten", "tcp", "-noreset", "-displayfd", "1"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        assert server.stdout is not None
        yield f":{server.stdout.readline().decode().strip()}"
    finally:
        end(server)


@pytest.mark.parametrize("depth", [15, 16, 24, 30])
async def test_depths(depth: int) -> None:
    """Sentinel and snapshot work with 15, 16, 24 and 30 bits per pixel; the width is no multiple of anything."""
    with screen_of_depth(depth) as display:
        async with on_stage(display) as stage:
            await stage.set_backdrop(Image.new("RGB", (40, 20), (255, 128, 0)))
            assert colour_in(await stage.snapshot(), (161, 100)) == "orange"
            window = await stage.open_window()
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(window.first_pixel(pictures=lambda: 1), 0.2)
            with Painter(display, window.xid) as painter:
                painter.fill("white")
                await asyncio.wait_for(window.first_pixel(pictures=lambda: 1), SOON_S)
                await window.show()
                snapshot = await stage.snapshot()
            assert Image.open(io.BytesIO(snapshot)).size == (322, 200)
            assert colour_in(snapshot, (321, 199)) == "white"


def colour_in(snapshot: bytes, point: tuple[int, int]) -> str:
    pixel = Image.open(io.BytesIO(snapshot)).getpixel(point)
    assert isinstance(pixel, tuple)
    return name_of((int(pixel[0]), int(pixel[1]), int(pixel[2])))


async def test_a_screen_without_real_colours_is_refused_in_words() -> None:
    """A palette screen is not available, and the message says what to configure."""
    with screen_of_depth(8) as display:
        async with on_stage(display) as stage:
            assert not stage.health.available
            assert "configure a depth of 24" in stage.health.message


async def test_a_blanked_screen_is_woken_and_kept_awake(xserver: XServer) -> None:
    """A shown window wakes the screen and keeps it lit; without one, backdrop or not, blanking works as before."""
    saver = Saver(xserver.display)
    try:
        saver.timeout(1)
        async with on_stage(xserver.display) as stage:
            await stage.set_backdrop(Image.new("RGB", (40, 20), (255, 255, 255)))
            first, second = await stage.open_window(), await stage.open_window()
            saver.activate()
            assert saver.state() == ON
            await first.show()
            await second.show()
            await first.close()
            assert await saver.comes_to(OFF)
            await asyncio.sleep(1.5)  # the server would blank after 1 s
            assert saver.state() == OFF
            await second.close()
            assert await saver.comes_to(ON)
    finally:
        saver.timeout(0)
        saver.close()


class Saver:
    """The X server's own screen saver, seen by another client."""

    def __init__(self, display: str) -> None:
        connect: Any = xcffib.connect
        self._connection = connect(display)
        self._core = self._connection.core
        self._saver = self._connection(xcffib.screensaver.key)
        self._root = self._connection.get_setup().roots[0].root

    def timeout(self, seconds: int) -> None:
        self._core.SetScreenSaver(seconds, 0, 1, 1, is_checked=True).check()

    def activate(self) -> None:
        self._core.ForceScreenSaver(xcffib.xproto.ScreenSaver.Active, is_checked=True).check()

    def state(self) -> int:
        return int(self._saver.QueryInfo(self._root).reply().state)

    async def comes_to(self, state: int) -> bool:
        try:
            await until(lambda: self.state() == state, timeout_s=SOON_S)
        except TimeoutError:
            return False
        return True

    def close(self) -> None:
        self._connection.disconnect()
