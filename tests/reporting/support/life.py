"""A box in this process with its API, for one life."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import ClientSession

from agent.snapshot import SessionSnapshot
from tests.central.support.service import Answered
from tests.reporting.support.box import Box, box
from tests.support.api import served_by


@dataclass
class Life:
    """One life of a box, and its API."""

    box: Box
    client: ClientSession

    async def start(self, query: str = "", **body: Any) -> Answered:
        async with self.client.post(f"/start{query}", json=body) as answer:
            return Answered(answer.status, await answer.json(), dict(answer.headers))

    async def play(self, **body: Any) -> str:
        """Return at the first frame."""
        answer = await self.start("?wait=5", **body)
        assert (answer.status, answer["status"]) == (200, "success"), answer.body
        return str(answer["session_id"])

    @property
    def on(self) -> SessionSnapshot | None:
        return self.box.tracker.snapshot().stream

    @property
    def plays(self) -> str:
        """The address that the newest player was given."""
        return self.box.players.players[-1].url

    async def ended(self, session_id: str) -> SessionSnapshot:
        await self.box.until(lambda: (last := self.last) is not None and last.session_id == session_id)
        assert self.last is not None
        return self.last

    @property
    def last(self) -> SessionSnapshot | None:
        return self.box.tracker.snapshot().last


@asynccontextmanager
async def life(folder: Path, **central: Any) -> AsyncIterator[Life]:
    async with box(folder, **central) as made:
        serving = served_by(made.tracker, made.stage, made.players, reporting=lambda: made.status)
        async with serving as (client, _):
            yield Life(made, client)
