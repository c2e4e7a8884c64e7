"""Windows of several layers and sizes on a real X server: what is seen of each."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import ExitStack
from typing import Literal

import pytest

from agent.errors import PlayerUnavailableError
from agent.stage.base import WHOLE, Layer, Place
from agent.stage.nameplate import Nameplate
from agent.stage.window import X11Window
from agent.stage.x11 import X11Stage
from tests.support.colours import name_of
from tests.support.painter import Painter
from tests.support.screen import Screen
from tests.support.stranger import Stranger
from tests.support.tools import until
from tests.support.xserver import XServer

SOON_S = 3.0
"""Everything here takes some ms; the rest is for a busy machine."""

CORNER = Place(0.75, 0.0, 0.25, 0.25)
"""The top right of 640x360: from (480, 0) to (640, 90)."""
IN_THE_CORNER, ELSEWHERE = (560, 45), (320, 180)


WITH_AND_WITHOUT_CURTAIN = pytest.mark.parametrize("idle", ["black", "desktop"])


@pytest.fixture
def idle() -> Literal["black", "desktop"]:
    return "black"


@pytest.fixture
async def stage(xserver: XServer, idle: Literal["black", "desktop"]) -> AsyncIterator[X11Stage]:
    made = X11Stage(xserver.display, idle)
    await made.start()
    yield made
    await made.stop()


class Canvas:
    """The stage, and the painters of its windows."""

    def __init__(self, stage: X11Stage, display: str) -> None:
        self.stage = stage
        self.display = display
        self.painters = ExitStack()

    async def show(self, colour: str, layer: Layer = Layer.STREAM, place: Place = WHOLE) -> X11Window:
        window = await self.stage.open_window(layer=layer, place=place)
        painter = self.painters.enter_context(Painter(self.display, window.xid))
        painter.fill(colour)
        await window.first_pixel(pictures=lambda: 1)
        await window.show()
        return window


@pytest.fixture
async def canvas(stage: X11Stage, xserver: XServer) -> AsyncIterator[Canvas]:
    made = Canvas(stage, xserver.display)
    with made.painters:
        yield made


def colours(screen: Screen, *points: tuple[int, int]) -> list[str]:
    return [name_of(rgb) for rgb in screen.pixels(list(points))]


async def test_a_picture_is_there_while_a_stream_is_shown(stage: X11Stage, canvas: Canvas) -> None:
    """Neither a hidden window nor an overlay is a picture of what is cast, nor is a window that went with its
    display."""
    assert not stage.has_picture
    await canvas.show("red", Layer.OVERLAY, CORNER)
    await stage.open_window()
    assert not stage.has_picture
    stream = await canvas.show("blue")
    assert stage.has_picture
    await stream.close()
    assert not stage.has_picture
    await canvas.show("blue")
    await stage.stop()
    assert not stage.has_picture


@WITH_AND_WITHOUT_CURTAIN
async def test_a_stream_is_shown_although_an_overlay_was_destroyed(
    canvas: Canvas, screen: Screen, xserver: XServer
) -> None:
    """Another program destroys it; the overlays that are left stay above the stream."""
    overlays = [await canvas.show("red", Layer.OVERLAY, CORNER), await canvas.show("white", Layer.TOP, CORNER)]
    with Stranger(xserver.display) as stranger:
        stranger.destroy(overlays[0].xid)
    await canvas.show("blue")
    assert colours(screen, IN_THE_CORNER, ELSEWHERE) == ["white", "blue"]
    for overlay in overlays:
        await overlay.close()


@WITH_AND_WITHOUT_CURTAIN
async def test_a_stream_never_covers_an_overlay(canvas: Canvas, screen: Screen) -> None:
    """While streams take the screen from each other, no sample of the overlay shows anything else."""
    await canvas.show("red")
    await canvas.show("white", Layer.OVERLAY, CORNER)
    samples: list[tuple[str, str]] = []
    over = threading.Event()

    def watch() -> None:
        with Screen(canvas.display, guarded=False) as own:
            while not over.is_set():
                overlay, stream = colours(own, IN_THE_CORNER, ELSEWHERE)
                samples.append((overlay, stream))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        green, blue = await canvas.show("green"), await canvas.show("blue")
        for window, colour in [(green, "green"), (blue, "blue")] * 5:
            await window.show()
            await until(lambda: samples[-1][1] == colour, timeout_s=SOON_S)  # noqa: B023 - awaited here
    finally:
        over.set()
        watcher.join()
    assert {overlay for overlay, _ in samples} == {"white"}
    assert {stream for _, stream in samples} == {"red", "green", "blue"}


@WITH_AND_WITHOUT_CURTAIN
async def test_the_last_of_a_layer_is_over_the_others(canvas: Canvas, screen: Screen) -> None:
    """The layer on top is over overlays that come later; of two overlays the later one is seen, and closed again the
    one below."""
    await canvas.show("red")
    top = await canvas.show("cyan", Layer.TOP, Place(0.9, 0.0, 0.1, 0.25))
    await canvas.show("white", Layer.OVERLAY, CORNER)
    later = await canvas.show("green", Layer.OVERLAY, CORNER)
    await canvas.show("blue")
    on_top = (630, 45)
    assert colours(screen, on_top, IN_THE_CORNER, ELSEWHERE) == ["cyan", "green", "blue"]
    await later.close()
    assert colours(screen, on_top, IN_THE_CORNER, ELSEWHERE) == ["cyan", "white", "blue"]
    await top.close()
    assert colours(screen, on_top, IN_THE_CORNER, ELSEWHERE) == ["white", "white", "blue"]


async def test_a_window_has_the_size_of_its_place(canvas: Canvas, screen: Screen) -> None:
    """The size is right to the pixel; around the window is what is below."""
    await canvas.show("red")
    await canvas.show("white", Layer.OVERLAY, CORNER)
    edge = [(479, 45), (480, 45), (639, 45), (560, 0), (560, 89), (560, 90)]
    assert colours(screen, *edge) == ["red", "white", "white", "white", "white", "red"]


async def test_an_overlay_keeps_its_place_when_the_resolution_changes(
    canvas: Canvas, screen: Screen, xserver: XServer
) -> None:
    """The overlay stays the same part of the screen, over the stream."""
    try:
        await canvas.show("red")
        overlay = await canvas.show("white", Layer.OVERLAY, CORNER)
        xserver.resize(1280, 720)
        await until(lambda: canvas.stage.health.width == 1280, timeout_s=SOON_S)
        with Painter(canvas.display, overlay.xid) as painter:
            painter.fill("white")  # as a player does when its window has another size
            edge = [(959, 90), (960, 90), (1279, 90), (1120, 179), (1120, 180)]
            assert colours(screen, *edge) == ["black", "white", "white", "white", "black"]
            assert colours(screen, ELSEWHERE) == ["red"]
    finally:
        xserver.resize(640, 360)


@WITH_AND_WITHOUT_CURTAIN
async def test_a_new_stream_passes_another_program(canvas: Canvas, screen: Screen) -> None:
    """A window of another program that came over everything is below what is shown next, the overlay included."""
    await canvas.show("red")
    await canvas.show("white", Layer.OVERLAY, CORNER)
    with Stranger(canvas.display) as stranger:
        stranger.window(0, 0, 640, 360)
        assert colours(screen, IN_THE_CORNER, ELSEWHERE) == ["grey", "grey"]
        await canvas.show("green")
        assert colours(screen, IN_THE_CORNER, ELSEWHERE) == ["white", "green"]


async def test_a_small_window_alone_is_seen_as_covered(canvas: Canvas) -> None:
    """Another program that hides all of it is reported; one beside it is not."""
    await canvas.show("white", Layer.OVERLAY, CORNER)
    with Stranger(canvas.display) as stranger:
        stranger.window(0, 100, 640, 260)
        await canvas.stage._follow()
        assert not canvas.stage.health.covered
        stranger.window(0, 0, 640, 100)
        await until(lambda: canvas.stage.health.covered, timeout_s=SOON_S)


async def test_the_name_of_the_box_is_over_everything_for_a_while(
    canvas: Canvas, screen: Screen, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The name is white on black; then what is on is seen as before. A second request shows it once."""
    monkeypatch.setattr("agent.stage.nameplate.SHOWN_S", 0.5)
    await canvas.show("red")
    plate = Nameplate(canvas.stage, name="Living room")
    showing = asyncio.create_task(plate.show())
    await until(lambda: colours(screen, (5, 5)) == ["black"], timeout_s=SOON_S)
    await plate.show()
    middle = [(x, 180) for x in range(200, 440)]
    assert {"black", "white"} <= {name_of(rgb) for rgb in screen.pixels(middle)}
    await showing
    assert colours(screen, (5, 5), ELSEWHERE) == ["red", "red"]


async def test_the_name_of_the_box_needs_a_screen() -> None:
    """Whoever asks is told what is missing."""
    stage = X11Stage(":4711", "black")
    with pytest.raises(PlayerUnavailableError):
        await Nameplate(stage, name="Living room").show()
