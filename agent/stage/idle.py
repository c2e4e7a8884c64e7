"""The idle screen: a card that is seen while nothing is on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Final

from agent.errors import PlayerUnavailableError
from agent.snapshot import TrackerSnapshot
from agent.stage.card import Card, draw
from agent.stage.x11 import X11Stage
from agent.util.threads import Threads
from cast_util.tasks import Supervisor

LOOK_EVERY_S: Final = 10.0
"""The interval at which the content of the card is checked. A check takes 1 ms; drawing takes 50 ms, and happens only
after a change."""

DRAW_LIMIT_S: Final = 10.0
"""Fonts come from the disk, which an SD card takes a second for at most."""


class IdleScreen:
    """Shows the card while nothing is on, until the first picture or sound of the next stream. `pairing_url` receives
    the address of the box every LOOK_EVERY_S while the card is shown and returns a link that is valid for at least that
    long; it returns the same link while that is valid. None leaves out the QR code."""

    def __init__(
        self,
        stage: X11Stage,
        *,
        name: str,
        pairing_url: Callable[[str], str | None],
        supervisor: Supervisor,
    ) -> None:
        self._stage = stage
        self._name = name
        self._address: Callable[[], str | None] = lambda: None
        self._pairing_url = pairing_url
        self._supervisor = supervisor
        self._is_wanted = True
        self._shown: tuple[Card, int, int] | None = None
        """The card that was drawn last, and the size of the screen that it was drawn for."""
        self._changed = asyncio.Event()
        self._threads = Threads("idle-screen", limit=1)
        self._task: asyncio.Task[None] | None = None

    def start(self, address: Callable[[], str | None]) -> None:
        """Begin to show the card. `address` tells where the box is reached, None for nowhere, and may block."""
        self._address = address
        self._task = self._supervisor.start(self._run, name="idle-screen")

    async def stop(self) -> None:
        """Idempotent. What is shown goes with the stage."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def follow(self, snapshot: TrackerSnapshot) -> None:
        """Follow the sessions. Between two streams, and while the first one is prepared, nothing changes."""
        if snapshot.stream is None or snapshot.on_screen is not None:
            self._is_wanted = snapshot.stream is None
            self._changed.set()

    def display_changed(self) -> None:
        """The display came or went, and the card with it."""
        self._shown = None
        self._changed.set()

    async def _run(self) -> None:
        self._shown = None
        while True:
            self._changed.clear()
            with suppress(PlayerUnavailableError):  # the display is gone: `display_changed` tells of the next one
                await self._look()
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_EVERY_S if self._is_wanted else None):
                    await self._changed.wait()

    async def _look(self) -> None:
        health = self._stage.health
        if not self._is_wanted:
            if self._shown is not None:
                self._shown = None
                await self._stage.set_backdrop(None)
            return
        if not health.available:
            return
        address = await self._threads.call(self._address, timeout_s=DRAW_LIMIT_S)
        link = None if address is None else self._pairing_url(address)
        wanted = (Card(self._name, address, link), health.width, health.height)
        if wanted == self._shown:
            return
        picture = await self._threads.call(partial(draw, *wanted), timeout_s=DRAW_LIMIT_S)
        if self._is_wanted:
            self._shown = wanted  # before it is: the display may go meanwhile
            await self._stage.set_backdrop(picture)
