"""The surroundings of a box: a central API, and the box's registration there."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import ClientSession

from agent.reporting.central.enrol import enrol_now
from tests.central.support.process import CentralProcess, central_process
from tests.reporting.support.admin import Admin


@dataclass
class World:
    """`folder` is for whatever a run needs."""

    folder: Path
    central: CentralProcess
    key: str
    token: str
    """With which boxes are registered."""
    device_id: str = ""

    def register(self, state: Path) -> None:
        """The box with this state directory."""
        done = enrol_now(self.central.url, self.token, folder=state, name="soak")
        self.device_id = done.enrolment.device_id

    def events(self) -> list[dict[str, Any]]:
        """All of the box that the central API knows, in the order in which they came."""

        async def ask() -> list[dict[str, Any]]:
            async with ClientSession(self.central.url) as session:
                return await Admin(session, self.key).events(self.device_id)

        return asyncio.run(ask())


@contextmanager
def open_world(folder: Path, options: argparse.Namespace) -> Iterator[World]:
    url = options.database_url or f"sqlite:///{folder / 'central.db'}"
    with central_process(url) as central:
        yield World(folder, central, central.command("key", "add", "soak"), central.command("enrol"))
