"""The power of the screen: lit while something is shown, and switched off by DPMS where that is wanted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from agent.errors import NotSupportedError, PlayerUnavailableError
from agent.stage.screen import Screen
from agent.stage.window import Floor
from agent.stage.xcb import Xcb, dpms, screensaver, xproto

NOT_SWITCHED: Final = (
    "The X server of this display cannot switch a screen off (it has no DPMS, as under Wayland). Have the session "
    "switch it off, or the screen itself."
)


class Power:
    """Belongs to the stage, and outlives its displays. What the user has set in the X server is not touched for longer
    than the screen is off."""

    def __init__(self) -> None:
        self.is_off = False
        """The screen is to be off while nothing is shown."""
        self.is_on: bool | None = None
        """The screen is lit, as far as the X server knows; None without a display, or one that cannot be switched."""
        self.on_change: Callable[[], None] | None = None
        """Called on the event loop when `is_off` or `is_on` has changed."""
        self._told: tuple[bool, bool | None] = (False, None)
        self._floor: Floor | None = None
        self._shows = False
        self._enables = False
        """DPMS is disabled but for what is done here."""

    async def switch(self, on: bool) -> None:
        """Switch the screen on; or off, until something is shown, and again when nothing is any more.

        Raises NotSupportedError where the display cannot do it, PlayerUnavailableError where there is none.
        """
        floor = self._require()
        self.is_off = not on
        if on:
            await floor.connection.call(self._light_up)
        elif not self._shows:
            await floor.connection.call(self._switch_off)
        await self.look()

    def require(self) -> None:
        """Raise what `switch` would raise."""
        self._require()

    def restore(self, is_off: bool) -> None:
        """Have the screen as it was before a restart."""
        self.is_off = is_off
        if self._floor is not None:
            self.found(self._floor)

    def found(self, floor: Floor) -> None:
        """There is a display, on which nothing is shown yet."""
        self._floor, self._shows = floor, False
        if self.is_off and floor.screen.has_dpms:
            floor.connection.post(self._switch_off)

    def lost(self) -> None:
        """The display is gone."""
        self._floor = None
        self._set(None)

    async def look(self) -> None:
        """Read whether the screen is lit. Raises PlayerUnavailableError."""
        if self._floor is None:
            return
        floor, shows = self._floor, self._shows
        is_on = await floor.connection.call(is_lit) if floor.screen.has_dpms else None
        if is_on and not shows:
            self.is_off = False  # a keyboard or a mouse did it, for somebody who wants to see something
        self._set(is_on)

    def shown(self) -> None:
        """A window is seen: the screen is lit for as long as one is."""
        if (floor := self._floor) is not None:
            floor.connection.post(self._light_up)
            if not self._shows:
                floor.connection.post(lambda xcb: keep_lit(xcb, floor.screen, True))
        self._shows = True

    def closed(self) -> None:
        """No window is seen any more."""
        self._shows = False
        if (floor := self._floor) is not None:
            floor.connection.post(lambda xcb: keep_lit(xcb, floor.screen, False))
            if self.is_off and floor.screen.has_dpms:
                floor.connection.post(self._switch_off)

    def _require(self) -> Floor:
        if self._floor is None:
            raise PlayerUnavailableError("There is no display that could be switched.")
        if not self._floor.screen.has_dpms:
            raise NotSupportedError(NOT_SWITCHED)
        return self._floor

    def _set(self, is_on: bool | None) -> None:
        self.is_on = is_on
        before, self._told = self._told, (self.is_off, is_on)
        if before != self._told and self.on_change is not None:
            self.on_change()

    # --- on the connection's thread ---

    def _switch_off(self, xcb: Xcb) -> None:
        if not xcb(dpms.key).Info().reply().state:
            self._enables = True
            xcb(dpms.key).Enable()
        xcb(dpms.key).ForceLevel(dpms.DPMSMode.Off)

    def _light_up(self, xcb: Xcb) -> None:
        """Wake a screen that is blanked or switched off."""
        xcb.core.ForceScreenSaver(xproto.ScreenSaver.Reset)
        floor = self._floor
        if floor is None or not floor.screen.has_dpms or not xcb(dpms.key).Info().reply().state:
            return
        xcb(dpms.key).ForceLevel(dpms.DPMSMode.On)
        if self._enables:
            self._enables = False
            xcb(dpms.key).Disable()


def is_lit(xcb: Xcb) -> bool:
    """Return True unless DPMS has switched the screen off, or to standby."""
    info = xcb(dpms.key).Info().reply()
    return not info.state or info.power_level == dpms.DPMSMode.On


def keep_lit(xcb: Xcb, screen: Screen, on: bool) -> None:
    """Suspend blanking, or give it back. The server counts: each `on` needs one off; our death undoes all.

    DPMS is suspended with it. What the user has set is not touched.
    """
    if screen.has_screensaver:
        xcb(screensaver.key).Suspend(int(on))
