"""Windows of other programs that become part of ours: taken into a hidden window before they are mapped, and moved on
from there.

A browser opens a window of its own on the root. Between making it and mapping it there is 0.1 s (Chromium 156, bare and
under openbox), and the X server tells whose it is (the XRes extension).
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Collection
from contextlib import suppress
from typing import Any

from agent.errors import PlayerUnavailableError
from agent.stage import requests
from agent.stage.connection import Connection
from agent.stage.screen import Area
from agent.stage.window import X11Window
from agent.stage.xcb import Xcb, res, shape, xcffib, xproto
from agent.util.waiting import first_of

SMALLEST = 100
"""Pixels. What is narrower is never seen: programs open such windows to be told of things."""


class X11Adoption:
    """Implements `agent.player.base.Adoption`. `home` is the hidden window for what has no other place."""

    def __init__(
        self, connection: Connection, pid: int, home: X11Window, *, released: Callable[[X11Adoption], None]
    ) -> None:
        self._connection = connection
        self.pid = pid
        self._home = home
        self._released = released
        self._place = home.xid
        self.window = 0
        """0 until there is one."""
        self._is_focused = False
        self._has_window = asyncio.Event()

    async def place(self, xid: int) -> None:
        await first_of(_set(self._has_window), self._connection.lost())
        try:
            await self._connection.call(lambda xcb: _put_into(xcb, self.window, xid))
        except xcffib.Error as error:
            raise PlayerUnavailableError("The window of the program has gone.") from error
        self._place = xid

    def focus(self, on: bool) -> None:
        self._is_focused = on
        if on:
            self._connection.post(self._focus)
        self._connection.post(lambda xcb: _let_pointer(xcb, self.window, on))

    async def release(self) -> None:
        self._released(self)
        await self._home.close()

    def take(self, xcb: Xcb, window: int) -> None:
        """Move a new window of the process off the screen. For the thread of the connection."""
        with suppress(xcffib.Error):  # it has gone already
            _put_into(xcb, window, self._home.xid)
            _let_pointer(xcb, window, False)

    def took(self, window: int) -> None:
        """Note a new window of the process. The first one is to be seen; all others stay where nobody sees them."""
        if not self.window:
            self.window = window
            self._has_window.set()

    def lost_focus(self, window: int, others: set[int]) -> None:
        """Take the focus of this window back from a browser that took it as it started. A person who moves the focus is
        obeyed."""
        if self._is_focused and window == self.window:
            self._connection.post(lambda xcb: self._focus(xcb, taken_by=others))

    def _focus(self, xcb: Xcb, *, taken_by: Collection[int] | None = None) -> None:
        with suppress(xcffib.Error):  # it has gone already
            if taken_by is not None and xcb.core.GetInputFocus().reply().focus not in taken_by:
                return
            attributes: Any = xproto.CW.EventMask, [xproto.EventMask.FocusChange]
            xcb.core.ChangeWindowAttributes(self.window, *attributes, is_checked=True).check()
            back, now = xproto.InputFocus.PointerRoot, xproto.Time.CurrentTime
            xcb.core.SetInputFocus(back, self.window, now, is_checked=True).check()

    def fit(self, xcb: Xcb) -> None:
        """Fill the window that it is in, which was resized. For the thread of the connection."""
        if self.window:
            with suppress(xcffib.Error):
                _fit_into(xcb, self.window, self._place)


class Adoptions:
    """All of one connection: as many as there are browsers, which the players are the bound of."""

    def __init__(self, connection: Connection, root: int) -> None:
        self._connection = connection
        self._root = root
        self._by_pid: dict[int, X11Adoption] = {}
        connection.on_event_here = self._take

    async def add(self, pid: int, home: X11Window) -> X11Adoption:
        """Adopt a window. Raises PlayerUnavailableError if the X server does not tell which process owns a window."""
        if await self._connection.call(lambda xcb: _process_of(xcb, home.xid)) != os.getpid():
            await home.close()
            raise PlayerUnavailableError(
                "The X server does not tell which program a window belongs to (XRes 1.2), or counts processes "
                "otherwise than this system: web pages need an X server on this machine, outside of containers or in "
                "the same one."
            )
        adoption = self._by_pid[pid] = X11Adoption(self._connection, pid, home, released=self._release)
        return adoption

    def heard(self, event: Any) -> None:
        """Handle a lost focus."""
        if isinstance(event, xproto.FocusOutEvent):
            for adoption in self._by_pid.values():
                adoption.lost_focus(event.event, {other.window for other in self._by_pid.values()} - {adoption.window})

    def fit(self) -> None:
        """The windows that they are in may have another size now."""
        for adoption in self._by_pid.values():
            self._connection.post(adoption.fit)

    def _take(self, xcb: Xcb, event: Any) -> None:
        """Adopt a new window if it belongs to a process whose windows are wanted. For the thread of the connection: on
        a busy machine the event loop would have its turn when the window covers the screen already."""
        is_new = isinstance(event, xproto.CreateNotifyEvent) and event.parent == self._root
        if not is_new or event.width <= SMALLEST or not self._by_pid:
            return
        adoption = self._by_pid.get(_process_of(xcb, event.window) or 0)
        if adoption is not None:
            adoption.take(xcb, event.window)
            self._connection.tell(adoption.took, event.window)

    def _release(self, adoption: X11Adoption) -> None:
        if self._by_pid.get(adoption.pid) is adoption:
            del self._by_pid[adoption.pid]


def _process_of(xcb: Xcb, window: int) -> int | None:
    """The id of the process that has made a window, where the X server knows it."""
    pids = res.ClientIdSpec.synthetic(window, res.ClientIdMask.LocalClientPID)
    try:
        found = xcb(res.key).QueryClientIds(1, [pids]).reply().ids
    except (xcffib.Error, xcffib.ExtensionException):
        return None
    return next((int(each.value[0]) for each in found if len(each.value)), None)


def _fit_into(xcb: Xcb, window: int, parent: int) -> None:
    """Have a window of another program fill one of ours. Raises xcffib.Error."""
    room: Any = xcb.core.GetGeometry(parent).reply()
    requests.place_window(xcb, window, Area(0, 0, room.width, room.height))


def _put_into(xcb: Xcb, window: int, parent: int) -> None:
    """Move a window of another program into one of ours, and have it fill that. Raises xcffib.Error."""
    _fit_into(xcb, window, parent)
    xcb.core.ReparentWindow(window, parent, 0, 0, is_checked=True).check()


def _let_pointer(xcb: Xcb, window: int, on: bool) -> None:
    """Let the pointer into a window, or have it be in ours around that, which shows none. A browser would show its own
    over its page, also where nobody has a mouse: X puts one in the middle of the screen."""
    kind = shape.SO.Set, shape.SK.Input
    if on:
        xcb(shape.key).Mask(*kind, window, 0, 0, xproto.Pixmap._None)
    else:
        xcb(shape.key).Rectangles(*kind, xproto.ClipOrdering.Unsorted, window, 0, 0, 0, [])


async def _set(event: asyncio.Event) -> None:
    await event.wait()
