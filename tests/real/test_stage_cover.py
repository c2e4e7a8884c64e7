"""Windows of other programs over what is shown: they are reported, and nothing is done about them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal

import pytest

from agent.stage.cover import without
from agent.stage.screen import Area
from agent.stage.x11 import X11Stage
from tests.support.agent import Agent
from tests.support.looking import wait_moves
from tests.support.media_server import MediaServer
from tests.support.screen import Screen
from tests.support.stranger import Stranger
from tests.support.tools import until
from tests.support.xserver import XServer

WIDTH, HEIGHT = 640, 360
SEEN_S = 3.0
"""The stage looks 0.2 s after a change."""


@asynccontextmanager
async def showing(display: str, idle: Literal["black", "desktop"] = "black") -> AsyncIterator[X11Stage]:
    stage = X11Stage(display, idle)
    await stage.start()
    try:
        window = await stage.open_window()
        await window.show()
        yield stage
    finally:
        await stage.stop()


async def covered(stage: X11Stage, *, is_covered: bool = True) -> None:
    await until(lambda: stage.health.covered is is_covered, timeout_s=SEEN_S)


async def stays_seen(stage: X11Stage, stranger: Stranger) -> None:
    """Check that the stage has looked and finds it seen: a window that hides all is noticed, and this one beside it is
    not."""
    await stage._follow()
    assert not stage.health.covered
    whole = stranger.window(0, 0, WIDTH, HEIGHT)
    await covered(stage)
    stranger.destroy(whole)
    await covered(stage, is_covered=False)


@pytest.mark.parametrize("idle", ["black", "desktop"])
async def test_a_window_over_all_is_told_and_named(xserver: XServer, idle: Literal["black", "desktop"]) -> None:
    """The stream counts as covered, with the title of the window over it, until that goes; it is not raised again."""
    async with showing(xserver.display, idle) as stage:
        with Stranger(xserver.display) as stranger:
            window = stranger.window(0, 0, WIDTH, HEIGHT, title="Web\x1bbrowser")
            await covered(stage)
            assert stage.health.available
            assert "Another program's window ('Webbrowser') covers what is shown" in stage.health.message
            stranger.destroy(window)
            await covered(stage, is_covered=False)
            assert stage.health.message == ""
            stranger.window(0, 0, WIDTH, HEIGHT)
            await covered(stage)
        await covered(stage, is_covered=False)  # it went with its program


async def test_what_is_shown_next_is_seen(xserver: XServer) -> None:
    """A new window of ours is shown above all."""
    async with showing(xserver.display) as stage:
        with Stranger(xserver.display) as stranger:
            stranger.window(0, 0, WIDTH, HEIGHT)
            await covered(stage)
            window = await stage.open_window()
            await window.show()
            await covered(stage, is_covered=False)


async def test_several_windows_may_cover_together(xserver: XServer) -> None:
    """Two halves hide all; one alone does not."""
    async with showing(xserver.display) as stage:
        with Stranger(xserver.display) as stranger:
            stranger.window(0, 0, WIDTH // 2, HEIGHT, title="left")
            await stage._follow()
            assert not stage.health.covered
            stranger.window(WIDTH // 2, 0, WIDTH // 2, HEIGHT, title="right")
            await covered(stage)


async def test_a_notification_covers_nothing(xserver: XServer) -> None:
    """A window that is small, not mapped, or cut out covers nothing either."""
    async with showing(xserver.display) as stage:
        with Stranger(xserver.display) as stranger:
            stranger.window(400, 10, 200, 80, title="You have mail")
            stranger.window(0, 0, WIDTH, HEIGHT, mapped=False)
            stranger.cut_out(stranger.window(0, 0, WIDTH, HEIGHT))
            await stays_seen(stage, stranger)


async def test_what_a_compositor_lets_through_covers_nothing(mortal: XServer) -> None:
    """With a compositor a window with an alpha channel, or one that is translucent, may be seen through, and the
    server's own window for the whole screen is no cover; without one they hide what is under them."""
    async with showing(mortal.display) as stage:
        with Stranger(mortal.display) as stranger:
            alpha = stranger.window(0, 0, WIDTH, HEIGHT, alpha=True)
            await covered(stage)
            stranger.destroy(alpha)
            await covered(stage, is_covered=False)
            stranger.begin_compositing()
            stranger.window(0, 0, WIDTH, HEIGHT, alpha=True)
            stranger.make_translucent(stranger.window(0, 0, WIDTH, HEIGHT, mapped=True))
            await until(lambda: not stage.health.covered, timeout_s=SEEN_S)
            await stays_seen(stage, stranger)


async def test_another_virtual_terminal_in_front_is_told(mortal: XServer) -> None:
    """Nothing of this display is seen then, whatever its windows are."""
    async with showing(mortal.display) as stage:
        with Stranger(mortal.display) as stranger:
            stranger.switch_terminal(away=True)
            await stage._follow()
            assert stage.health.covered
            assert "Another virtual terminal" in stage.health.message
            stranger.switch_terminal(away=False)
            await stage._follow()
            assert not stage.health.covered


async def test_nothing_shown_is_nothing_covered(xserver: XServer) -> None:
    """A box that shows nothing is well whatever is over its black."""
    async with showing(xserver.display) as stage:
        for window in list(stage._held().windows.values()):
            await window.close()
        with Stranger(xserver.display) as stranger:
            stranger.window(0, 0, WIDTH, HEIGHT)
            await stage._follow()
            assert not stage.health.covered


def test_two_agents_on_one_screen(mortal: XServer, media_server: MediaServer) -> None:
    """The covered one does not say `playing`, and /health says why; they do not fight, and once the other has gone it
    plays."""
    with Agent(mortal.display, audio__output="none") as below, Screen(mortal.display) as screen:
        below.start(media_server.url("/film/green.mp4"), loop=True)
        below.wait_state("playing")
        with Agent(mortal.display, audio__output="none") as above:
            above.start(media_server.url("/film/red.mp4"), loop=True)
            above.wait_state("playing")
            below.wait_state("covered", SEEN_S)
            health = below.health()
            assert (health["status"], health["display"]) == ("degraded", "available")
            assert health["checks"]["display"]["covered"] is True
            assert "('cast-agent')" in health["checks"]["display"]["message"]
            assert above.health()["checks"]["display"]["covered"] is False
            wait_moves(screen, "red")
            below.start(media_server.url("/film/green.mp4"), loop=True)  # the last start is what is seen
            wait_moves(screen, "green")
            above.wait_state("covered", SEEN_S)
            below.wait_state("playing", SEEN_S)
            assert len(below.log("display_covered")) == len(above.log("display_covered")) == 1
            above.start(media_server.url("/film/red.mp4"), loop=True)
            below.wait_state("covered", SEEN_S)
        below.wait_state("playing", SEEN_S)
        assert below.health()["status"] == "healthy"


def test_what_a_cover_leaves() -> None:
    """The parts around the cover remain: all of them when the two do not meet, none when it hides all."""
    screen = Area(0, 0, 100, 50)
    assert without(screen, Area(0, 0, 100, 50)) == []
    assert without(screen, Area(100, 0, 10, 50)) == [screen]
    parts = without(screen, Area(10, 10, 20, 20))
    assert sum(part.width * part.height for part in parts) == 100 * 50 - 20 * 20
