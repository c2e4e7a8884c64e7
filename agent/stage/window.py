"""A window of the stage: hidden at first, then shown, then closed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from enum import IntEnum, auto
from typing import TypeVar

from agent.errors import PlayerUnavailableError
from agent.raw_picture import RawPicture
from agent.stage import requests
from agent.stage.backdrop import Backdrop
from agent.stage.base import WHOLE, Layer, Place
from agent.stage.connection import Connection
from agent.stage.guests import Blank
from agent.stage.layers import Layers
from agent.stage.pixels import read_rows
from agent.stage.requests import Tools
from agent.stage.screen import Area, Screen
from agent.stage.sentinel import Sentinel, Verdict
from agent.stage.xcb import Xcb, xcffib, xproto

T = TypeVar("T")

CLOSE_LOOK_S = 2.0
"""A warm player draws within 0.3 s; whoever has not after this waits for a network."""
CLOSE_LOOK_EVERY_S = 0.004
"""A quarter of a picture at 60 Hz: what polling adds to the time to the first pixel stays below what is seen."""
LONG_LOOK_EVERY_S = 0.020

ROWS = (0.375, 0.5, 0.625)
"""The rows that are looked at, in parts of the height: inside the picture of every film, 2.76:1 included."""


@dataclass(frozen=True, slots=True)
class Floor:
    """The common base of all windows of one connection."""

    connection: Connection
    screen: Screen
    tools: Tools
    curtain: int
    """The window id of the black curtain that they are in; 0 when the desktop is to be seen."""
    layers: Layers
    """The layers; for the connection's thread, as is the backdrop."""
    backdrop: Backdrop

    @property
    def parent(self) -> int:
        return self.curtain or self.screen.root

    def within(self, monitor: Area, place: Place) -> Area:
        """The place, in its parent, of a window of that monitor."""
        return (Area(0, 0, monitor.width, monitor.height) if self.curtain else monitor).part(place)


class Phase(IntEnum):
    """The phases of a window, which never go back."""

    EMPTY = auto()
    """Hidden, with the sentinel alone."""
    DRAWN = auto()
    """Hidden, with a picture."""
    SHOWN = auto()
    CLOSED = auto()


class X11Window:
    """Implements `agent.stage.base.Window`. It belongs to one connection and is lost with it."""

    def __init__(
        self,
        floor: Floor,
        monitor: Area,
        *,
        layer: Layer = Layer.STREAM,
        place: Place = WHOLE,
        on_shown: Callable[[X11Window], None],
        on_closed: Callable[[X11Window], None],
    ) -> None:
        self._floor = floor
        self._layer = layer
        self._wanted = place
        self._place = floor.within(monitor, place)
        self._on_shown = on_shown
        self._on_closed = on_closed
        self._sentinel = Sentinel(floor.screen.format)
        self._xid = 0
        self._phase = Phase.EMPTY

    @property
    def xid(self) -> int:
        return self._xid

    @property
    def layer(self) -> Layer:
        return self._layer

    @property
    def area(self) -> Area:
        """The area in its parent, which it has now or will have when it is shown."""
        return self._place

    @property
    def size(self) -> tuple[int, int]:
        return self._place.width, self._place.height

    @property
    def is_whole(self) -> bool:
        """Return True if it fills the screen."""
        return self._wanted == WHOLE

    async def open(self) -> None:
        """Make the window. Called once. Raises PlayerUnavailableError; nothing is left of it then."""
        floor, place = self._floor, self._place

        def make(xcb: Xcb) -> None:
            self._xid = requests.make_window(xcb, floor.screen, floor.tools, floor.parent, place, self._sentinel)
            floor.connection.guests.expect(self._xid, Blank(self._sentinel, floor.screen, floor.tools))

        try:
            await self._call(make)
        except BaseException:
            self._enter(Phase.CLOSED)
            self._floor.connection.post(self._destroy)
            raise

    async def first_pixel(self, *, pictures: Callable[[], int]) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        while True:
            verdict = await self._look()
            if verdict is Verdict.PICTURE or (verdict is Verdict.BARE and pictures() > 0):
                break
            close = loop.time() - began < CLOSE_LOOK_S
            await asyncio.sleep(CLOSE_LOOK_EVERY_S if close else LONG_LOOK_EVERY_S)
        self._enter(Phase.DRAWN)
        await self._fill_around_player()

    async def paint(self, picture: RawPicture) -> None:
        screen, tools, place = self._floor.screen, self._floor.tools, self._place
        self._enter(Phase.DRAWN)
        await self._call(lambda xcb: requests.paint_picture(xcb, screen, tools, self._xid, place, picture))

    async def show(self) -> None:
        untouched = self._phase is Phase.EMPTY and await self._look() is Verdict.UNTOUCHED
        screen, tools, place = self._floor.screen, self._floor.tools, self._place
        curtain, layers, guests = self._floor.curtain, self._floor.layers, self._floor.connection.guests
        self._enter(Phase.SHOWN)

        def raise_it(xcb: Xcb) -> None:
            guests.expect_no_more(xcb, self._xid)
            covered = requests.fill_around_player(xcb, screen, tools, self._xid, place)
            if untouched and not covered:
                requests.black_out(xcb, screen, tools, self._xid, place)  # a sentinel is nothing to look at
            above = layers.put(self._xid, self._layer)
            try:
                requests.raise_window(xcb, self._xid, place, above)
            except xproto.WindowError:
                for gone in requests.gone(xcb, above):  # another program has destroyed them
                    layers.drop(gone)
                requests.raise_window(xcb, self._xid, place, layers.put(self._xid, self._layer))
            if curtain:
                requests.raise_curtain(xcb, curtain)

        await self._call(raise_it)
        self._on_shown(self)

    async def close(self) -> None:
        if self._phase is Phase.CLOSED:
            return
        self._enter(Phase.CLOSED)
        self._on_closed(self)
        # The request is on its way before the first wait, so it is made even when the caller is cancelled.
        with suppress(PlayerUnavailableError, xcffib.Error):
            await self._floor.connection.call(self._destroy)

    async def lost(self) -> None:
        await self._floor.connection.lost()

    def move(self, monitor: Area) -> None:
        """Fill that monitor from now on; what is shown stays as it is until the player has followed."""
        screen, tools, before = self._floor.screen, self._floor.tools, self._place
        self._place = place = self._floor.within(monitor, self._wanted)
        phase = self._phase

        def follow(xcb: Xcb) -> None:
            requests.place_window(xcb, self._xid, place if phase >= Phase.SHOWN else requests.hidden(place))
            if phase >= Phase.DRAWN:
                requests.fill_new_edges(xcb, screen, tools, self._xid, before, place)
            else:
                requests.paint_sentinel(xcb, tools, self._xid, self._sentinel, place)

        self._floor.connection.post(follow)

    def player_moved(self) -> None:
        """Fill the rest, after the player placed or resized its own window inside this one."""
        if self._phase >= Phase.DRAWN:
            screen, tools, place = self._floor.screen, self._floor.tools, self._place
            self._floor.connection.post(lambda xcb: requests.fill_around_player(xcb, screen, tools, self._xid, place))

    async def _fill_around_player(self) -> None:
        screen, tools, place = self._floor.screen, self._floor.tools, self._place
        guests = self._floor.connection.guests

        def fill(xcb: Xcb) -> None:
            guests.expect_no_more(xcb, self._xid)
            requests.fill_around_player(xcb, screen, tools, self._xid, place)

        await self._call(fill)

    async def _look(self) -> Verdict:
        width, height = self._place.width, self._place.height
        lines = sorted({int(height * part) for part in ROWS})
        guests = self._floor.connection.guests

        def look(xcb: Xcb) -> Verdict:
            if guests.is_settling(self._xid):
                return Verdict.UNTOUCHED
            return self._sentinel.judge(read_rows(xcb, self._xid, lines, width), width)

        return await self._call(look)

    async def _call(self, work: Callable[[Xcb], T]) -> T:
        if self._phase is Phase.CLOSED:
            raise PlayerUnavailableError("The window is closed already.")
        try:
            return await self._floor.connection.call(work)
        except xcffib.Error as error:
            raise PlayerUnavailableError(f"The X server refused a request of the stage ({error!r}).") from error

    def _enter(self, phase: Phase) -> None:
        self._phase = max(self._phase, phase)

    def _destroy(self, xcb: Xcb) -> None:
        self._floor.layers.drop(self._xid)
        self._floor.connection.guests.expect_no_more(xcb, self._xid)
        if self._xid:
            requests.destroy_window(xcb, self._xid)
