"""The last key frame of a camera that is kept ready, seen until its player shows moving pictures."""

from __future__ import annotations

import asyncio
import contextlib

import structlog

from agent.casting.parts import Cameras
from agent.errors import PlayerUnavailableError
from agent.stage.base import Stage, Window

log = structlog.get_logger(__name__)


class Still:
    """A picture in a window of its own, over what is on. The player of the camera needs 0.1 s and more to its first
    picture, of which next to nothing can be taken."""

    def __init__(self, cameras: Cameras, stage: Stage) -> None:
        self._cameras = cameras
        self._stage = stage
        self._task: asyncio.Task[None] | None = None
        self._window: Window | None = None

    def begin(self, address: str) -> None:
        """Show that of the camera at this address of ours, as soon as it is there."""
        self._task = asyncio.create_task(self._show(address), name="still")

    def stop(self) -> None:
        """Show it no more, if it is not seen yet: the player is about to be."""
        if self._task is not None:
            self._task.cancel()

    async def end(self) -> None:
        """Take it away. Idempotent."""
        self.stop()
        if self._task is not None:
            [error] = await asyncio.gather(self._task, return_exceptions=True)
            if isinstance(error, Exception):  # not a stop; the stream goes on without it
                log.error("still_failed", exc_info=error)
        if self._window is not None:
            await self._window.close()

    async def _show(self, address: str) -> None:
        with contextlib.suppress(PlayerUnavailableError):  # the player tells of a display that is lost
            self._window = window = await self._stage.open_window()
            picture = await self._cameras.still(address, window.size)
            if picture is not None:
                await window.paint(picture)
                await window.show()
                log.debug("still_shown", width=picture.width, height=picture.height)
