"""Windows of the stage on a real X server, drawn into by another process."""

from __future__ import annotations

import asyncio
import io
import os
import threading
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any

import pytest
import xcffib.res
from PIL import Image

from agent.errors import PlayerUnavailableError
from agent.stage.window import X11Window
from agent.stage.x11 import X11Stage
from tests.support.colours import PALETTE, name_of
from tests.support.painter import Painter
from tests.support.screen import Screen
from tests.support.tools import until, wait_until
from tests.support.xserver import XServer

SOON_S = 3.0
"""Everything here takes some ms; the rest is for a busy machine."""
UNMOVED_S = 0.3
"""The time for some 50 looks at a window."""

eventually = partial(until, timeout_s=SOON_S)


@pytest.fixture
async def stage(xserver: XServer) -> AsyncIterator[X11Stage]:
    made = X11Stage(xserver.display, "black")
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
async def window(stage: X11Stage) -> X11Window:
    return await stage.open_window()


def no_pictures() -> int:
    return 0


def one_picture() -> int:
    return 1


async def seen(window: X11Window, *, pictures: Callable[[], int] = no_pictures, within_s: float = SOON_S) -> bool:
    try:
        await asyncio.wait_for(window.first_pixel(pictures=pictures), within_s)
    except TimeoutError:
        return False
    return True


async def shown(stage: X11Stage, xserver: XServer, colour: str) -> tuple[X11Window, Painter]:
    window = await stage.open_window()
    painter = Painter(xserver.display, window.xid)
    painter.fill(colour)
    await window.first_pixel(pictures=no_pictures)
    await window.show()
    return window, painter


async def test_a_new_window_is_not_seen(stage: X11Stage, window: X11Window, xserver: XServer) -> None:
    """While a window is hidden, the screen stays black."""
    with Painter(xserver.display, window.xid) as painter, Screen(xserver.display) as screen:
        painter.fill("white")
        assert await seen(window, pictures=one_picture)
        assert screen.grab().getcolors() == [(640 * 360, (0, 0, 0))]


@pytest.mark.parametrize("pictures", [no_pictures, one_picture])
async def test_untouched_is_never_a_first_pixel(window: X11Window, pictures: Callable[[], int]) -> None:
    """A window into which nobody has drawn has no first pixel, whatever the player counts."""
    assert not await seen(window, pictures=pictures, within_s=UNMOVED_S)


@pytest.mark.parametrize("colour", [name for name in PALETTE if name not in ("black", "white")])
async def test_any_colour_is_a_first_pixel(window: X11Window, xserver: XServer, colour: str) -> None:
    """No solid colour equals the sentinel, so each is noticed without the player's help; black and white are what a
    window may show before its picture."""
    with Painter(xserver.display, window.xid) as painter:
        painter.fill(colour)
        assert await seen(window)


async def test_a_colour_of_the_sentinel_itself_is_a_first_pixel(
    stage: X11Stage, window: X11Window, xserver: XServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Media in the very colour of a stripe is noticed by the other stripes."""
    stripe = window._sentinel.pixels[3]
    monkeypatch.setitem(PALETTE, "stripe", (stripe >> 16 & 255, stripe >> 8 & 255, stripe & 255))
    with Painter(xserver.display, window.xid) as painter:
        painter.fill("stripe")
        assert await seen(window)


@pytest.mark.parametrize("colour", ["black", "white"])
async def test_what_is_bare_counts_with_pictures_only(window: X11Window, xserver: XServer, colour: str) -> None:
    """A window that turned black or white waits until the player has displayed a picture."""
    pictures = 0
    with Painter(xserver.display, window.xid) as painter:
        painter.fill(colour)
        assert not await seen(window, within_s=UNMOVED_S)
        pixel = asyncio.create_task(window.first_pixel(pictures=lambda: pictures))
        await asyncio.sleep(0.05)  # some ten looks
        assert not pixel.done()
        pictures = 1
        await asyncio.wait_for(pixel, SOON_S)


async def test_black_in_a_part_of_the_window_counts_with_pictures_only(window: X11Window, xserver: XServer) -> None:
    """A narrow black player window inside the sentinel is black, not a picture."""
    with Painter(xserver.display, window.xid) as painter:
        painter.child(200, 0, 240, 360)
        painter.fill("black")
        assert not await seen(window, within_s=UNMOVED_S)
        assert await seen(window, pictures=one_picture)


async def test_a_switch_shows_the_old_or_the_new(stage: X11Stage, xserver: XServer) -> None:
    """While one window takes the screen from another, no sample of the screen is black."""
    old, old_painter = await shown(stage, xserver, "red")
    samples: list[str] = []
    over = threading.Event()

    def watch() -> None:
        with Screen(xserver.display, guarded=False) as screen:
            while not over.is_set():
                samples.extend(name_of(rgb) for rgb in screen.pixels([(3, 3), (320, 180), (636, 356)]))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        for colour in ("green", "blue", "yellow") * 3:
            await eventually(lambda: samples)
            new, new_painter = await shown(stage, xserver, colour)
            old_painter.kill()
            await old.close()
            old, old_painter = new, new_painter
        await eventually(lambda: samples[-1] == "yellow")  # the last switch was watched too
    finally:
        over.set()
        watcher.join()
        old_painter.kill()
    assert set(samples) <= {"red", "green", "blue", "yellow"}


async def test_closing_the_top_shows_what_is_underneath(stage: X11Stage, xserver: XServer) -> None:
    """A window that is closed uncovers the one below, and the last one uncovers black."""
    below, painter_below = await shown(stage, xserver, "red")
    top, painter_top = await shown(stage, xserver, "green")
    with painter_below, painter_top, Screen(xserver.display) as screen:
        assert screen.colour_at_centre() == "green"
        await top.close()
        assert screen.colour_at_centre() == "red"
        await below.close()
        await below.close()
        assert screen.colour_at_centre() == "black"


@pytest.mark.parametrize("box", [(0, 40, 640, 280), (80, 0, 480, 360), (0, 0, 640, 360)])
async def test_what_the_player_leaves_free_is_black(
    stage: X11Stage, window: X11Window, xserver: XServer, box: tuple[int, int, int, int]
) -> None:
    """Around a player's own window there are black bars, not the sentinel."""
    with Painter(xserver.display, window.xid) as painter, Screen(xserver.display) as screen:
        painter.child(*box)
        painter.fill("cyan")
        await window.first_pixel(pictures=no_pictures)
        await window.show()
        inside = box[2] * box[3]
        found: Any = screen.grab().getcolors()
        colours = {name_of(rgb): count for count, rgb in found}
        assert colours == {"cyan": inside} | ({"black": 640 * 360 - inside} if inside < 640 * 360 else {})


async def test_the_bars_follow_the_player(stage: X11Stage, window: X11Window, xserver: XServer) -> None:
    """The area that a player leaves when it makes its own window smaller is painted black."""
    with Painter(xserver.display, window.xid) as painter, Screen(xserver.display) as screen:
        painter.child(0, 0, 640, 360)
        painter.fill("cyan")
        await window.first_pixel(pictures=no_pictures)
        await window.show()
        painter.child(0, 60, 640, 240)
        painter.fill("cyan")
        await eventually(lambda: screen.pixels([(5, 5), (320, 180), (5, 355)]) == [(0,) * 3, (0, 255, 255), (0,) * 3])


async def test_a_players_own_window_is_seen_with_its_picture(stage: X11Stage, xserver: XServer) -> None:
    """It is not seen before it is at its place, nor its background before it has a picture."""
    corner, middle = (5, 5), (320, 180)
    _window, painter = await shown(stage, xserver, "red")
    with painter, Screen(xserver.display) as screen:
        painter.ask_for_child(0, 0, 64, 64)
        painter.fill("cyan")
        await asyncio.sleep(UNMOVED_S)
        assert screen.pixels([corner, middle]) == [PALETTE["red"]] * 2
        painter.child(0, 0, 640, 360)
        assert screen.pixels([corner, middle]) == [PALETTE["red"]] * 2
        painter.fill("green")
        assert screen.pixels([corner, middle]) == [PALETTE["green"]] * 2


async def test_the_first_picture_is_brought_to_its_place(stage: X11Stage, window: X11Window, xserver: XServer) -> None:
    """A player that draws its first picture small, before its window is in its place, need not draw it again."""
    with Painter(xserver.display, window.xid) as painter, Screen(xserver.display) as screen:
        painter.ask_for_child(0, 0, 320, 160)
        await settling(window)
        painter.fill("green")
        painter.fill("red", rows=(0, 80))
        assert not await seen(window, within_s=UNMOVED_S)
        painter.child(0, 20, 640, 320)
        await window.first_pixel(pictures=no_pictures)
        await window.show()
        upper, lower = [(1, 21), (638, 21), (320, 160)], [(1, 338), (638, 338), (320, 200)]
        assert screen.pixels(upper) == [PALETTE["red"]] * 3
        assert screen.pixels(lower) == [PALETTE["green"]] * 3
        assert screen.pixels([(320, 5), (320, 355)]) == [(0, 0, 0)] * 2


async def test_a_small_picture_is_not_seen_where_the_player_goes_before_it_is_in_its_place(
    stage: X11Stage, window: X11Window, xserver: XServer
) -> None:
    """Nor when the window is shown meanwhile, for another reason."""
    with Painter(xserver.display, window.xid) as painter:
        painter.ask_for_child(0, 0, 320, 300)
        await settling(window)
        painter.fill("green")
    assert not await seen(window, within_s=UNMOVED_S)
    with Painter(xserver.display, window.xid) as painter, Screen(xserver.display) as screen:
        painter.ask_for_child(0, 0, 320, 300)
        await settling(window)
        painter.fill("cyan")
        await window.show()
        assert screen.grab().getcolors() == [(640 * 360, (0, 0, 0))]


async def test_a_picture_that_is_larger_than_the_screen_is_not_seen_in_parts(
    stage: X11Stage, window: X11Window, xserver: XServer
) -> None:
    with Painter(xserver.display, window.xid) as painter, Screen(xserver.display) as screen:
        painter.ask_for_child(0, 0, 1280, 720)
        await settling(window)
        painter.fill("green")
        assert not await seen(window, within_s=UNMOVED_S)
        painter.child(0, 0, 640, 360)
        painter.fill("blue")
        await window.first_pixel(pictures=no_pictures)
        await window.show()
        assert screen.grab().getcolors() == [(640 * 360, PALETTE["blue"])]


async def test_a_window_that_waits_for_its_place_is_forgotten_with_its_player(
    stage: X11Stage, window: X11Window, xserver: XServer
) -> None:
    """Its id may be that of another window soon, which has asked for nothing."""
    with Painter(xserver.display, window.xid) as painter:
        painter.ask_for_child(0, 0, 64, 64)
        await settling(window)
    await settling(window, False)


@pytest.mark.parametrize("box", [None, (0, 40, 640, 280)])
async def test_the_last_picture_outlives_a_killed_player(
    stage: X11Stage, window: X11Window, xserver: XServer, box: tuple[int, int, int, int] | None
) -> None:
    """After SIGKILL of its player, a window shows exactly what it showed before."""
    with Painter(xserver.display, window.xid) as painter, Screen(xserver.display) as screen:
        if box is not None:
            painter.child(*box)
        painter.fill("orange")
        painter.fill("blue", rows=(0, 150))
        await window.first_pixel(pictures=no_pictures)
        await window.show()
        before = screen.grab()
        painter.kill()
        assert await stage.snapshot()  # the stage has heard of the death by now
        assert screen.grab().tobytes() == before.tobytes()


async def test_a_window_without_a_picture_is_shown_black(stage: X11Stage, window: X11Window, xserver: XServer) -> None:
    """The sentinel itself never reaches the screen."""
    await window.show()
    with Screen(xserver.display) as screen:
        assert screen.grab().getcolors() == [(640 * 360, (0, 0, 0))]


@pytest.mark.parametrize(
    ("image_format", "width", "size"),
    [("png", None, (640, 360)), ("jpeg", None, (640, 360)), ("jpeg", 320, (320, 180)), ("png", 4000, (640, 360))],
)
async def test_a_snapshot_is_what_the_screen_shows(
    stage: X11Stage, xserver: XServer, image_format: str, width: int | None, size: tuple[int, int]
) -> None:
    """A snapshot has the size and the colours of the screen, in the format that was asked for; or it is smaller."""
    window, painter = await shown(stage, xserver, "green")
    with painter:
        data = await stage.snapshot("png" if image_format == "png" else "jpeg", width=width)
    image = Image.open(io.BytesIO(data))
    assert image.format == image_format.upper()
    assert image.size == size
    rgb = image.convert("RGB").getpixel((size[0] // 2, size[1] // 2))
    assert isinstance(rgb, tuple)
    assert name_of((int(rgb[0]), int(rgb[1]), int(rgb[2]))) == "green"
    await window.close()


async def test_the_monitor_is_followed(stage: X11Stage, xserver: XServer) -> None:
    """After a change of resolution, curtain and windows fill the new screen, and hidden ones still work."""
    window, painter = await shown(stage, xserver, "red")
    hidden = await stage.open_window()
    try:
        with painter, Screen(xserver.display) as screen, Painter(xserver.display, hidden.xid) as other:
            for size in ((1280, 720), (800, 600), (640, 360)):
                xserver.resize(*size)
                await eventually(lambda size=size: (stage.health.width, stage.health.height) == size)  # type: ignore[misc]
                assert not await seen(hidden, pictures=one_picture, within_s=0.05)
                painter.fill("red")  # as a player does when its parent's size changes
                assert screen.grab().getcolors() == [(size[0] * size[1], (255, 0, 0))]
            other.fill("green")
            assert await seen(hidden)
            await hidden.show()
            assert screen.grab().getcolors() == [(640 * 360, (0, 255, 0))]
            await hidden.close()
            await window.close()
            assert screen.grab().getcolors() == [(640 * 360, (0, 0, 0))]
    finally:
        xserver.resize(640, 360)


async def test_a_closed_window_says_so(stage: X11Stage, window: X11Window) -> None:
    """A caller who waits for a window that is closed meanwhile is told, and does not wait for ever."""
    waiting = asyncio.create_task(window.first_pixel(pictures=no_pictures))
    await asyncio.sleep(0.05)  # it looks by now
    await window.close()
    with pytest.raises(PlayerUnavailableError):
        await asyncio.wait_for(waiting, SOON_S)
    with pytest.raises(PlayerUnavailableError):
        await window.show()


async def test_a_given_up_open_leaves_no_window(stage: X11Stage, xserver: XServer) -> None:
    """The window that was being made is taken away when the caller of open_window is cancelled."""
    await (await stage.open_window()).close()
    before = resources(xserver)
    for _ in range(10):
        opening = asyncio.create_task(stage.open_window())
        await asyncio.sleep(0)
        opening.cancel()
        await asyncio.gather(opening, return_exceptions=True)
    await stage.snapshot()
    assert resources(xserver) == before


async def test_a_hundred_windows_leave_nothing(stage: X11Stage, xserver: XServer) -> None:
    """Opened, drawn into, shown and closed windows leave no X resources, descriptors or threads behind."""

    async def cycle() -> None:
        window = await stage.open_window()
        await window.show()
        await window.close()

    await cycle()
    before = resources(xserver), len(os.listdir("/proc/self/fd")), threading.active_count()
    for _ in range(100):
        await cycle()
    assert (resources(xserver), len(os.listdir("/proc/self/fd")), threading.active_count()) == before


async def test_idle_desktop_leaves_the_desktop_alone(xserver: XServer) -> None:
    """With idle = "desktop" only what is shown is seen, and hidden windows are not."""
    stage = X11Stage(xserver.display, "desktop")
    with Screen(xserver.display) as screen, Painter(xserver.display, screen._root) as desktop:
        desktop.fill("grey")
        await stage.start()
        window = await stage.open_window()
        with Painter(xserver.display, window.xid) as painter:
            painter.fill("red")
            assert await seen(window)
            # Xvfb's own pointer leaves a black square on a bare root window.
            assert {rgb for _, rgb in screen.grab().getcolors() or []} <= {(128, 128, 128), (0, 0, 0)}
            assert screen.pixels([(1, 1), (638, 358)]) == [(128, 128, 128)] * 2
            await window.show()
            assert screen.grab().getcolors() == [(640 * 360, (255, 0, 0))]
        await stage.stop()


def resources(xserver: XServer) -> list[tuple[int, int]]:
    """The number and the kinds of X resources of each client but this one."""
    connection = xcffib.connect(xserver.display)  # type: ignore[no-untyped-call]
    try:
        res = connection(xcffib.res.key)
        clients = [client.resource_base for client in res.QueryClients().reply().clients]
        ours = connection.get_setup().resource_id_base
        return sorted(
            (entry.resource_type, entry.count)
            for client in clients
            if client != ours
            for entry in res.QueryClientResources(client).reply().types
        )
    finally:
        connection.disconnect()  # type: ignore[no-untyped-call]


@pytest.mark.parametrize("depth", [15, 16, 24, 30])
async def test_an_empty_window_of_a_player_is_no_picture(depth: int) -> None:
    """On a screen of few colours neither, where a player's window has fewer than ours: until the player has drawn, it
    shows what is behind it in the colours that it has."""
    with XServer(depth=depth) as server:
        stage = X11Stage(server.display, "black")
        await stage.start()
        try:
            window = await stage.open_window()
            with Painter(server.display, window.xid) as painter:
                painter.child(0, 0, 640, 360)
                assert not await seen(window, pictures=one_picture, within_s=UNMOVED_S)
                painter.fill("black")
                assert not await seen(window, within_s=UNMOVED_S)
                painter.fill("red")
                assert await seen(window)
        finally:
            await stage.stop()


async def test_a_window_of_a_browser_is_taken_while_the_loop_has_no_turn(
    stage: X11Stage, xserver: XServer, screen: Screen
) -> None:
    """On a busy machine the window would otherwise cover the screen until the loop has its turn."""
    with Painter(xserver.display, screen.root) as painter:
        adoption = await stage.adopt(painter.pid)
        painter.child(0, 0, 640, 360)
        painter.fill("red")
        wait_until(lambda: screen.colour_at_centre() == "black", timeout_s=SOON_S, what="it is off the screen")
        await eventually(lambda: adoption.window)
        await adoption.release()


async def settling(window: X11Window, expected: bool = True) -> None:
    """Wait until the stage has a player's window inside ours that waits for its place, or has none."""
    connection = window._floor.connection
    await eventually(lambda: connection.guests.is_settling(window.xid) is expected)
    await connection.call(lambda xcb: None)  # so that all it does with it is done
