"""The stage on an X11 display, XWayland included: found, held, lost and found again."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import structlog
from PIL import Image

from agent.errors import PlayerUnavailableError
from agent.health import DisplayHealth
from agent.stage import requests
from agent.stage.adoption import X11Adoption
from agent.stage.backdrop import Backdrop
from agent.stage.base import WHOLE, ImageFormat, Layer, Place
from agent.stage.chosen import ChosenScreen
from agent.stage.connection import Connection
from agent.stage.cover import hidden_by
from agent.stage.displays import SOCKETS, addresses
from agent.stage.hold import Hold
from agent.stage.layers import Layers
from agent.stage.pixels import Picture, black_picture, encode, read_picture
from agent.stage.power import Power
from agent.stage.screen import Area, read_monitor, read_screen
from agent.stage.window import Floor, X11Window
from agent.stage.xcb import Xcb, randr, xcffib, xproto
from cast_util.tasks import Supervisor

FIRST_ATTEMPT_S = 3.0
"""The longest wait of `start`: for one attempt to connect, and the first requests."""
RETRY_S = 1.0
"""Soon enough for a display manager's restart, and next to no work while there is no screen."""
SETTLE_S = 0.2
"""The time from a change of other programs' windows to a look at them: one that is dragged changes sixty times a
second."""
ROUND_TRIP_EVERY_S = 5.0
"""With the 2 s that a call may take, a server that hangs is noticed within 7 s."""

TREE_EVENTS = (
    xproto.ConfigureNotifyEvent,
    xproto.MapNotifyEvent,
    xproto.UnmapNotifyEvent,
    xproto.DestroyNotifyEvent,
    xproto.ReparentNotifyEvent,
    xproto.CirculateNotifyEvent,
)
"""The events that change the order of windows."""

_log = structlog.get_logger(__name__)


class X11Stage:
    """Implements `agent.stage.base.Stage`."""

    def __init__(
        self,
        display: str | None,
        idle: Literal["black", "card", "desktop"],
        *,
        environ: Mapping[str, str] = os.environ,
        sockets: Path = SOCKETS,
        supervisor: Supervisor | None = None,
        chosen: ChosenScreen | None = None,
        authority: Path | None = None,
    ) -> None:
        """`authority` is the file in which players find the cookie that opens the display."""
        self._supervisor = supervisor or Supervisor()
        self._display = display
        self._idle = idle
        self._environ = environ
        self._sockets = sockets
        self._chosen = chosen or ChosenScreen()
        self._authority = authority
        self.on_change: Callable[[DisplayHealth], None] | None = None
        """Called on the event loop when a display comes or goes; not when it is only resized, nor by `stop`."""
        self.power = Power()
        self._health = DisplayHealth(False, message="The display has not been looked for yet.")
        self._hold: Hold | None = None
        self._task: asyncio.Task[None] | None = None
        self._tried = asyncio.Event()
        self._stir = asyncio.Event()
        self._settling: asyncio.TimerHandle | None = None

    @property
    def health(self) -> DisplayHealth:
        return self._health

    @property
    def has_picture(self) -> bool:
        return self._hold is not None and any(window.layer is Layer.STREAM for window in self._hold.seen)

    async def start(self) -> None:
        """Begin to hold the display. Returns after the first attempt, 3 s at most; no display is no error."""
        if self._task is None:
            self._task = self._supervisor.start(self._keep, name="stage")
        with suppress(TimeoutError):
            async with asyncio.timeout(FIRST_ATTEMPT_S):
                await self._tried.wait()

    async def stop(self) -> None:
        """Let go of the display; all windows are gone then. Idempotent; takes 2 s at most."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])  # bounded by Connection.close
            self._health = DisplayHealth(False, message="cast-agent has released the display.")

    async def open_window(self, *, layer: Layer = Layer.STREAM, place: Place = WHOLE) -> X11Window:
        hold = self._held()
        monitor = hold.monitor
        window = X11Window(hold.floor, monitor, layer=layer, place=place, on_shown=self._shown, on_closed=self._closed)
        await window.open()
        hold.windows[window.xid] = window
        if hold.monitor != monitor:  # it changed in between
            window.move(hold.monitor)
        return window

    async def adopt(self, pid: int) -> X11Adoption:
        """Take the windows that process `pid` opens from now on. Raises PlayerUnavailableError when there is no
        display, or one that does not tell whose windows are."""
        home = await self.open_window()
        return await self._held().adoptions.add(pid, home)

    async def set_backdrop(self, picture: Image.Image | None) -> None:
        """Show a picture in the middle of the screen, on black and below all windows, in place of the one before; None
        leaves it black. It goes with the display.

        Raises PlayerUnavailableError when there is no display, or the desktop is what is seen while nothing is shown.
        """
        await self._held().set_backdrop(picture)

    async def snapshot(self, image_format: ImageFormat = "png", *, width: int | None = None) -> bytes:
        return await encode(await self._photograph(self._held()), image_format, width)

    def _held(self) -> Hold:
        if self._hold is None:
            raise PlayerUnavailableError(self._health.message)
        return self._hold

    async def _photograph(self, hold: Hold) -> Picture:
        floor, monitor = hold.floor, hold.monitor
        drawable, area, layout = floor.screen.root, monitor, floor.screen.root_format
        if floor.screen.rootless:  # the compositor alone knows the whole screen: what is ours must do
            area, layout = Area(0, 0, monitor.width, monitor.height), floor.screen.format
            drawable = floor.curtain or next((window.xid for window in hold.seen if window.is_whole), 0)
        if not drawable:
            return black_picture(area, layout)
        try:
            return await floor.connection.call(lambda xcb: read_picture(xcb, drawable, area, layout))
        except xcffib.Error as error:
            raise PlayerUnavailableError("The screen changed just now: ask again.") from error

    async def _keep(self) -> None:
        while True:
            self._stir.clear()
            try:
                connection = Connection(on_event=self._heard, on_lost=self._stir.set)
            except OSError as error:  # out of descriptors: that passes
                self._unavailable(f"cast-agent cannot connect to a display ({error.strerror}); it tries again.")
            else:
                try:
                    self._unavailable(await self._use(connection))
                finally:
                    self._hold = None
                    await connection.close()
            await asyncio.sleep(RETRY_S)

    async def _use(self, connection: Connection) -> str:
        """Hold a display for as long as that goes; returns why it does not go on."""
        try:
            await self._connect(connection)
            await self._serve(connection)
        except PlayerUnavailableError as error:
            return str(error)
        except Exception as error:
            _log.exception("display_failed")
            return f"The display failed unexpectedly ({error!r}); cast-agent tries again."
        return connection.reason

    async def _connect(self, connection: Connection) -> None:
        found = addresses(self._display, self._environ, self._sockets, self._chosen)
        address = await connection.open(found, self._environ, authority=self._authority)

        def prepare(xcb: Xcb) -> tuple[Floor, Area]:
            screen = read_screen(xcb, address.screen)
            monitor, tools = read_monitor(xcb, screen), requests.make_tools(xcb, screen)
            curtain = requests.make_curtain(xcb, screen, tools, monitor) if self._idle != "desktop" else 0
            return Floor(connection, screen, tools, curtain, Layers(), Backdrop()), monitor

        floor, monitor = await connection.call(prepare)
        self._hold = Hold(floor, address.name, monitor, self.power)
        self.power.found(floor)
        depth = floor.screen.root_format.depth
        health = DisplayHealth(True, address.name, monitor.width, monitor.height, depth=depth)
        wayland = floor.screen.rootless
        _log.info("display_found", display=health.display, width=health.width, height=health.height, xwayland=wayland)
        self._set_health(health)
        await self.power.look()
        self._tried.set()

    async def _serve(self, connection: Connection) -> None:
        while not connection.reason:
            with suppress(TimeoutError):
                async with asyncio.timeout(ROUND_TRIP_EVERY_S):
                    await self._stir.wait()
            self._stir.clear()
            await self._follow()

    async def _follow(self) -> None:
        """See where the monitor is now, and bring everything there. It is the sign of life as well."""
        hold = self._held()
        floor = hold.floor
        monitor = await floor.connection.call(lambda xcb: read_monitor(xcb, floor.screen))
        if monitor != hold.monitor:
            self._move_to(hold, monitor)
        await self._look_above(hold)
        await self.power.look()

    def _move_to(self, hold: Hold, monitor: Area) -> None:
        hold.move_to(monitor)
        _log.info("display_resized", display=hold.name, width=monitor.width, height=monitor.height)
        self._set_health(replace(self._health, width=monitor.width, height=monitor.height))

    async def _look_above(self, hold: Hold) -> None:
        """See whether other programs hide what is shown. Nothing is done about it but to say so: two programs that
        both insist on being on top would fight for ever, and a lock screen must stay."""
        floor, shown = hold.floor, hold.main
        by: str | None = None
        if shown is not None:
            ours = {floor.curtain, *hold.windows}
            top, area = (floor.curtain, hold.monitor) if floor.curtain else (shown.xid, shown.area)
            by = await floor.connection.call(lambda xcb: hidden_by(xcb, floor.screen, top, ours, area))
        if by is None and self._health.covered:
            _log.info("display_uncovered", display=hold.name)
            self._set_health(replace(self._health, covered=False, message=""))
        elif by is not None and not self._health.covered:
            _log.warning("display_covered", display=hold.name, reason=by)
            self._set_health(replace(self._health, covered=True, message=by))

    def _look_soon(self) -> None:
        def look() -> None:
            self._settling = None
            self._stir.set()

        self._settling = self._settling or asyncio.get_running_loop().call_later(SETTLE_S, look)

    def _heard(self, event: Any) -> None:
        hold = self._hold
        if hold is None:
            return
        hold.adoptions.heard(event)
        if isinstance(event, TREE_EVENTS) and event.event == hold.floor.screen.root and hold.seen:
            self._look_soon()
        if isinstance(event, randr.ScreenChangeNotifyEvent | randr.NotifyEvent):
            self._stir.set()
        elif isinstance(event, xproto.ConfigureNotifyEvent | xproto.MapNotifyEvent):
            if event.window == hold.floor.screen.root:
                self._stir.set()
            elif event.event in hold.windows:
                hold.windows[event.event].player_moved()

    def _shown(self, window: X11Window) -> None:
        if self._hold is not None:
            self._hold.shown(window)

    def _closed(self, window: X11Window) -> None:
        if self._hold is not None and self._hold.closed(window) and self._health.covered:
            self._look_soon()

    def _unavailable(self, reason: str) -> None:
        self._hold = None
        self.power.lost()
        self._tried.set()
        if self._health.available:
            _log.warning("display_lost", display=self._health.display, reason=reason)
        elif self._health.message != reason:
            _log.warning("display_not_found", reason=reason)
        self._set_health(DisplayHealth(False, message=reason))

    def _set_health(self, health: DisplayHealth) -> None:
        before, self._health = self._health, health
        if before.available != health.available and self.on_change is not None:
            self.on_change(health)
