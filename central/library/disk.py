"""The folder of this machine that the library works in, and the room on its disk."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from central.core.errors import LibraryUnavailableError, StorageFullError

ADVICE: Final = "Set dir in the section [library] to a folder that cast-central may write to."


class Disk:
    """What is called here waits for the disk, so it is called in a thread."""

    def __init__(self, path: Path | None, *, keep_free: int) -> None:
        """`keep_free` bytes of it are left to others."""
        self._path = path
        self._keep_free = keep_free

    @property
    def root(self) -> Path:
        """Raises LibraryUnavailableError where there is no folder."""
        if self._path is None:
            raise LibraryUnavailableError(f"The library has no folder. {ADVICE}")
        return self._path

    def require_room(self, size: int, *, awaited: int = 0) -> None:
        """Raise StorageFullError unless so many bytes fit beside `awaited` ones that are to come for others. Raises
        OSError where the folder is not there."""
        disk = os.statvfs(self.root)
        room = disk.f_bavail * disk.f_frsize - self._keep_free - awaited
        if size > room:
            raise StorageFullError(
                f"It has {size} bytes, and the library has room for {max(0, room)}. Delete videos, or free space on "
                "its disk."
            )


def synced(path: Path) -> int:
    """Bytes of a file, which are there after a power cut, too. Raises OSError."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
        return os.fstat(file.fileno()).st_size
