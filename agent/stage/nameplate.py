"""The name of the box over all that is shown, so that a person sees which screen it is."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Final

from PIL import Image

from agent.errors import PlayerUnavailableError
from agent.raw_picture import RawPicture
from agent.stage.base import Layer
from agent.stage.x11 import X11Stage
from agent.util.threads import Threads

SHOWN_S: Final = 10.0
"""Time to look around a house full of screens."""

DRAW_LIMIT_S: Final = 5.0
"""Fonts come from the disk, which an SD card takes a second for at most."""


class Nameplate:
    """Shows the name for SHOWN_S. What is on goes on underneath, with its sound."""

    def __init__(self, stage: X11Stage, *, name: str) -> None:
        self._stage = stage
        self._name = name
        self._threads = Threads("nameplate", limit=1)
        self._is_shown = False

    async def show(self) -> None:
        """Return when it is gone again; at once while it is shown already. Raises PlayerUnavailableError."""
        if self._is_shown:
            return
        self._is_shown = True
        try:
            window = await self._stage.open_window(layer=Layer.TOP)
            try:
                await window.paint(_raw(await self._picture()))
                await window.show()
                await asyncio.sleep(SHOWN_S)
            finally:
                await window.close()
        finally:
            self._is_shown = False

    async def _picture(self) -> Image.Image:
        from agent.stage.card import Card, draw  # its fonts and QR codes take 2 MB of memory

        health = self._stage.health
        drawing = partial(draw, Card(self._name), health.width, health.height)
        try:
            return await self._threads.call(drawing, timeout_s=DRAW_LIMIT_S)
        except (TimeoutError, RuntimeError) as error:
            raise PlayerUnavailableError(f"The name of the box cannot be drawn now ({error}); try again.") from error


def _raw(image: Image.Image) -> RawPicture:
    return RawPicture(image.width, image.height, image.tobytes("raw", "BGRX"))
