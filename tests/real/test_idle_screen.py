"""The idle screen on a real X server: what is seen while nothing is on, and that it is not seen otherwise."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest
from PIL import Image

from agent.access.keys import KeyFile
from agent.discovery.interfaces import lan_url
from agent.errors import PlayerUnavailableError
from agent.snapshot import SessionSnapshot, TrackerSnapshot
from agent.stage import idle as idle_module
from agent.stage.card import Card, draw
from agent.stage.idle import IdleScreen
from agent.stage.x11 import X11Stage
from agent.types import PlayerState, Quality, SessionId, SessionState
from cast_util.tasks import Supervisor
from tests.support.agent import Agent
from tests.support.looking import wait_moves
from tests.support.media_server import MediaServer
from tests.support.painter import Painter
from tests.support.screen import Screen
from tests.support.tools import until
from tests.support.xserver import XServer

SOON_S = 10.0
"""Drawing takes 0.1 s; the rest is for a busy machine, and for the second in which the stage looks for a display."""

NAME, ADDRESS = "Living room", "http://192.168.1.20:8090"

SESSION = SessionSnapshot(
    SessionId("0b5ff1f2-7c8f-4a8b-9a2e-3a0d6b0a6c11"), "http://film/", None, Quality.AUTO, SessionState.STARTING,
    PlayerState.LOADING, datetime.now(UTC), 1.0, False,
)  # fmt: skip
NOTHING, STARTING = TrackerSnapshot(), TrackerSnapshot(stream=SESSION)
ON = TrackerSnapshot(stream=SESSION, on_screen=SESSION)


class Idle:
    """The idle screen, the stage, and the link that the idle screen is told."""

    def __init__(self, display: str) -> None:
        self.link: str | None = "http://192.168.1.20:8090/pair#first"
        self.supervisor = Supervisor()
        self.stage = X11Stage(display, "card")
        self.screen = IdleScreen(
            self.stage, name=NAME, pairing_url=lambda address: self.link, supervisor=self.supervisor
        )
        self.stage.on_change = lambda health: self.screen.display_changed()

    def picture(self, width: int = 640, height: int = 360) -> Image.Image:
        """The picture on the screen now."""
        return centred(draw(Card(NAME, ADDRESS, self.link), width, height), width, height)


def centred(card: Image.Image, width: int = 640, height: int = 360) -> Image.Image:
    screen = Image.new("RGB", (width, height))
    screen.paste(card, ((width - card.width) // 2, (height - card.height) // 2))
    return screen


@asynccontextmanager
async def idling(display: str) -> AsyncIterator[Idle]:
    idle = Idle(display)
    await idle.stage.start()
    idle.screen.start(lambda: ADDRESS)
    yield idle
    await idle.screen.stop()
    await idle.stage.stop()
    assert not idle.supervisor.failing


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(idle_module, "LOOK_EVERY_S", 0.05)


async def seen(screen: Screen, picture: Image.Image) -> None:
    await until(lambda: screen.grab() == picture, timeout_s=SOON_S, what="the picture")


async def test_it_is_seen_from_the_end_of_one_stream_to_the_picture_of_the_next(
    xserver: XServer, screen: Screen
) -> None:
    """It is below the picture to the pixel, and black where a stream that is on shows nothing."""
    black = Image.new("RGB", (640, 360))
    async with idling(xserver.display) as idle:
        await seen(screen, idle.picture())
        idle.screen.follow(STARTING)
        window = await idle.stage.open_window()
        with Painter(xserver.display, window.xid) as painter:
            painter.fill("red")
            await window.first_pixel(pictures=lambda: 0)
            assert screen.grab() == idle.picture()
            await window.show()
            red = Image.new("RGB", (640, 360), (255, 0, 0))
            assert screen.grab() == red
            idle.screen.follow(ON)
            await until(lambda: idle.screen._shown is None, timeout_s=SOON_S)
        await window.close()
        await seen(screen, black)
        idle.screen.follow(STARTING)  # the next one is prepared: nothing is on for a moment
        await asyncio.sleep(0.2)  # time to draw it
        assert screen.grab() == black
        idle.screen.follow(NOTHING)
        await seen(screen, idle.picture())


async def test_it_comes_back_with_the_display(mortal: XServer) -> None:
    """An X server that died has the card again as soon as the stage is there."""
    async with idling(mortal.display) as idle:
        with Screen(mortal.display) as screen:
            await seen(screen, idle.picture())
        mortal.kill()
        await until(lambda: not idle.stage.health.available, timeout_s=SOON_S)
        mortal.start()
        await until(lambda: idle.stage.health.available, timeout_s=SOON_S)
        with Screen(mortal.display) as screen:
            await seen(screen, idle.picture())


async def test_it_follows_the_resolution(xserver: XServer, screen: Screen) -> None:
    """It is drawn anew for the new size."""
    try:
        async with idling(xserver.display) as idle:
            await seen(screen, idle.picture())
            xserver.resize(1280, 720)
            await seen(screen, idle.picture(1280, 720))
    finally:
        xserver.resize(640, 360)


async def test_a_new_link_is_shown_and_the_same_one_costs_nothing(
    xserver: XServer, screen: Screen, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is drawn when something on it has changed, and no more."""
    drawn: list[Card] = []

    def counted(card: Card, width: int, height: int) -> Image.Image:
        drawn.append(card)
        return draw(card, width, height)

    monkeypatch.setattr(idle_module, "draw", counted)
    looks = 0

    def address() -> str:
        nonlocal looks
        looks += 1
        return ADDRESS

    async with idling(xserver.display) as idle:
        idle.screen._address = address
        await seen(screen, idle.picture())
        await until(lambda: looks >= 5, timeout_s=SOON_S)
        assert len(drawn) == 1
        idle.link = "http://192.168.1.20:8090/pair#second"
        await seen(screen, idle.picture())
        idle.link = None
        await seen(screen, idle.picture())
        assert [card.pairing_url for card in drawn[1:]] == ["http://192.168.1.20:8090/pair#second", None]


async def test_a_desktop_is_not_drawn_upon(xserver: XServer) -> None:
    """The card has no place where the desktop is to be seen."""
    stage = X11Stage(xserver.display, "desktop")
    await stage.start()
    try:
        with pytest.raises(PlayerUnavailableError, match="desktop"):
            await stage.set_backdrop(Image.new("RGB", (10, 10)))
    finally:
        await stage.stop()


def test_the_agent_shows_it_before_and_after_a_film(
    xserver: XServer, screen: Screen, media_server: MediaServer
) -> None:
    """The card has the name of the box and its address; a film covers it. Once there is a key, it has a code to pair
    with."""
    with Agent(xserver.display, display__idle="card", device__name=NAME, audio__output="none") as agent:
        address = lan_url("0.0.0.0", agent.port)
        card = centred(draw(Card(NAME, address), 640, 360))
        agent.wait_until(lambda: screen.grab() == card, SOON_S, "the card")
        agent.start(media_server.url("/film/green.mp4"))
        wait_moves(screen, "green")
        key = KeyFile(agent.folder / "state").add("phone")
        agent.call("POST", "/stop", headers={"Authorization": f"Bearer {key}"})
        if address is None:  # a machine without a network: nobody could open the link
            agent.wait_until(lambda: screen.grab() == card, SOON_S, "the card again")
        else:
            agent.wait_until(lambda: has_code(screen.grab()), SOON_S, "the code")
        assert not agent.log("task_failed")


def has_code(picture: Image.Image) -> bool:
    """Only a QR code has that many white pixels: text is a little darker."""
    return sum(count for count, colour in picture.getcolors() or () if colour == (255, 255, 255)) > 1000
