"""The folders in which posters, thumbnails and renditions are made, on this machine: in `work`, named by ids alone.

A folder is there until the database says what became of it, so after a crash at any moment the sweep finds what nobody
needs.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Final

from central.core.ids import is_id
from central.core.threads import in_thread
from central.library.disk import Disk
from central.library.storage import Storage

WORK: Final = "work"
SWEPT: Final = 100
"""The most folders of one sweep."""


class Workshop:
    """A folder is named by the lease of its job, and so is what comes of it: two that make the same never share one."""

    def __init__(self, disk: Disk, storage: Storage) -> None:
        self._disk = disk
        self._storage = storage

    async def begin(self, video_id: str, lease_id: str) -> Path:
        """A new folder to make it in. Raises OSError."""
        folder = self._work(video_id, lease_id)
        await in_thread(partial(folder.mkdir, mode=0o700, parents=True))
        return folder

    async def end(self, video_id: str, lease_id: str) -> None:
        """Remove its folder, because the database knows what became of it. Idempotent."""

        def remove() -> None:
            with suppress(FileNotFoundError):
                shutil.rmtree(self._work(video_id, lease_id))

        await in_thread(remove)

    async def discard(self, video_id: str, lease_id: str) -> None:
        """Delete all that was made under this lease. Idempotent."""
        await self.end(video_id, lease_id)  # first, so that nothing is kept any more
        await self._storage.discard(video_id, lease_id)

    async def begun(self) -> Sequence[tuple[str, str]]:
        """Videos and leases of which there is a folder, at most SWEPT."""

        def look() -> list[str]:
            try:
                return [entry.name for entry in (self._disk.root / WORK).iterdir()]
            except FileNotFoundError:
                return []

        pairs = [
            (video_id, lease_id) for video_id, _, lease_id in (name.partition(".") for name in await in_thread(look))
        ]
        return [pair for pair in pairs if all(map(is_id, pair))][:SWEPT]

    def _work(self, video_id: str, lease_id: str) -> Path:
        return self._disk.root / WORK / f"{video_id}.{lease_id}"
