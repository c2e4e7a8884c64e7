"""The screen is switched off while nothing is shown. A fake X server stands in: one without a monitor has no DPMS."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest

from agent.errors import NotSupportedError, PlayerUnavailableError
from agent.stage.power import Power
from agent.stage.window import Floor
from agent.stage.xcb import dpms, screensaver

ON, OFF = dpms.DPMSMode.On, dpms.DPMSMode.Off


class FakeServer:
    """DPMS and the screen saver of an X server, and the connection to it."""

    def __init__(self, *, enabled: bool = True, can: bool = True) -> None:
        self.enabled, self.level, self.suspended = enabled, ON, 0
        self.core = SimpleNamespace(ForceScreenSaver=lambda mode: None)
        screen = SimpleNamespace(has_dpms=can, has_screensaver=True)
        self.floor = cast("Floor", SimpleNamespace(connection=self, screen=screen))

    def __call__(self, key: object) -> Any:
        return {dpms.key: self, screensaver.key: self}[key]

    def Info(self) -> Any:  # noqa: N802 - the names of xcffib
        told = SimpleNamespace(state=self.enabled, power_level=self.level)
        return SimpleNamespace(reply=lambda: told)

    def Enable(self) -> None:  # noqa: N802
        self.enabled = True

    def Disable(self) -> None:  # noqa: N802
        self.enabled, self.level = False, ON

    def ForceLevel(self, level: int) -> None:  # noqa: N802
        assert self.enabled, "the real one answers BadMatch"
        self.level = level

    def Suspend(self, on: int) -> None:  # noqa: N802
        self.suspended += 1 if on else -1
        assert self.suspended >= 0

    async def call(self, work: Callable[[Any], Any]) -> Any:
        return work(self)

    def post(self, work: Callable[[Any], Any]) -> None:
        work(self)

    def is_lit(self) -> bool:
        return bool(self.level == ON)


@pytest.mark.parametrize("enabled", [True, False])
async def test_off_until_something_is_shown_and_again_after_it(enabled: bool) -> None:
    """And on when that is asked for; DPMS is then as enabled as it was."""
    server, power, told = FakeServer(enabled=enabled), Power(), []
    power.on_change = lambda: told.append(power.is_on)
    power.found(server.floor)
    await power.look()
    await power.switch(False)
    assert not server.is_lit()
    power.shown()
    assert (server.is_lit(), server.suspended) == (True, 1)
    power.shown()
    await power.look()
    power.closed()
    assert (server.is_lit(), server.suspended) == (False, 0)
    await power.look()
    await power.switch(True)
    assert (server.is_lit(), server.enabled) == (True, enabled)
    power.shown()
    power.closed()
    assert server.is_lit()
    assert told == [True, False, True, False, True]


async def test_what_is_shown_stays_lit() -> None:
    """A stream that comes between is not switched off; the screen goes off at its end."""
    server, power = FakeServer(), Power()
    power.found(server.floor)
    power.shown()
    await power.switch(False)
    assert server.is_lit()
    power.closed()
    assert not server.is_lit()


async def test_a_keyboard_switches_it_on_for_good() -> None:
    server, power = FakeServer(), Power()
    power.found(server.floor)
    await power.switch(False)
    server.level = ON
    await power.look()
    assert (power.is_on, power.is_off) == (True, False)
    power.shown()
    power.closed()
    assert server.is_lit()


async def test_it_is_off_again_on_the_next_display_and_after_a_restart() -> None:
    power = Power()
    power.restore(True)
    for _ in range(2):
        power.found((server := FakeServer()).floor)
        await power.look()
        assert (server.is_lit(), power.is_on, power.is_off) == (False, False, True)
        power.lost()
        assert power.is_on is None
    power.found((server := FakeServer()).floor)
    power.restore(True)
    assert not server.is_lit()


async def test_where_it_cannot_be_switched_nothing_is_tried() -> None:
    server, power = FakeServer(enabled=False, can=False), Power()
    with pytest.raises(PlayerUnavailableError):
        await power.switch(False)
    power.restore(True)
    power.found(server.floor)
    await power.look()
    with pytest.raises(NotSupportedError):
        await power.switch(False)
    power.shown()
    power.closed()
    assert (power.is_on, server.enabled, server.is_lit()) == (None, False, True)
