"""Spare players are made anew when what they were made for has changed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from agent.player.engines import Engines
from agent.player.file_watch import FileWatch, Identities
from cast_util.tasks import Supervisor


class Respawn:
    """Makes the spare players anew when the display comes or goes, or files that they need are replaced: they were made
    for those before."""

    def __init__(self, players: Engines, *, supervisor: Supervisor | None = None) -> None:
        self._supervisor = supervisor or Supervisor()
        self._players = players
        self._tasks: set[asyncio.Task[None]] = set()

    def display_changed(self) -> None:
        self._renew()

    def watch(self, look: Callable[[], Identities], *, name: str = "surroundings") -> None:
        """Start watching, as a task of this name."""
        self._run(FileWatch(look, changed=self._renew).watch, name)

    def _renew(self) -> None:
        self._run(self._players.renew, "spare-renew")

    def _run(self, work: Callable[[], Coroutine[Any, Any, None]], name: str) -> None:
        task = self._supervisor.start(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def stop(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
