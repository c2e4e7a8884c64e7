"""A library in a folder of the test's own, and files to put into it."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from central.library.folder import MARK
from tests.central.support.service import Answered, Central, Client, served
from tests.support.tools import LOOK_EVERY_S

CHECK_S = 30.0
"""Two looks of ffprobe, on a busy machine."""


@dataclass
class Shelf:
    """An admin of the service, and the folder of its library."""

    admin: Client
    folder: Path

    async def reserve(self, data: bytes, by: Client | None = None, **changes: Any) -> Answered:
        body = {"title": "A film", "type": "video/mp4", "size": len(data)} | changes
        return await (by or self.admin)("POST", "/api/v1/videos", body)

    async def put(self, video_id: str, data: Any, offset: int = 0, by: Client | None = None) -> Answered:
        path = f"/api/v1/videos/{video_id}/content?offset={offset}"
        return await (by or self.admin)("PUT", path, data=data)

    async def complete(self, video_id: str, by: Client | None = None) -> Answered:
        return await (by or self.admin)("POST", f"/api/v1/videos/{video_id}/complete")

    async def get(self, video_id: str, by: Client | None = None) -> Answered:
        return await (by or self.admin)("GET", f"/api/v1/videos/{video_id}")

    async def checked(self, data: bytes, **changes: Any) -> Answered:
        """Reserved, uploaded, completed and checked."""
        made = await self.reserve(data, **changes)
        assert made.status == 201, made.body
        assert (await self.put(made["id"], data)).status == 200
        assert (await self.complete(made["id"])).status == 202
        return await self.end_of_check(made["id"])

    async def end_of_check(self, video_id: str) -> Answered:
        async with asyncio.timeout(CHECK_S):
            while (found := await self.get(video_id))["state"] == "checking":
                await asyncio.sleep(LOOK_EVERY_S)
        return found

    def files(self) -> set[str]:
        """Of videos; what is made of them has folders of its own."""
        files = (path for path in self.folder.glob("*") if path.is_file())
        return {path.name for path in files} - {MARK}


@dataclass
class ServedShelf(Shelf):
    """With the service itself, in this process."""

    central: Central


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.fixture
async def shelf(database_url: str, tmp_path: Path) -> AsyncIterator[ServedShelf]:
    """On both databases."""
    folder = tmp_path / "library"
    async with served(database_url, library={"dir": str(folder), "workers": 0}) as central:
        yield ServedShelf(central.admin, folder, central)


@pytest.fixture
async def sqlite_shelf(sqlite_url: str, tmp_path: Path) -> AsyncIterator[ServedShelf]:
    """For what has nothing to do with the database."""
    folder = tmp_path / "library"
    async with served(sqlite_url, library={"dir": str(folder), "workers": 0}) as central:
        yield ServedShelf(central.admin, folder, central)
