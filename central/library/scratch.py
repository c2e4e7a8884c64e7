"""Copies of videos on this machine, for as long as somebody looks at them: a file in `scratch` for each.

What is called here waits for the disk, so it is called in a thread. Each file is locked by whoever made it, so after a
crash the sweep knows which ones are nobody's.
"""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path
from typing import BinaryIO, Final

from central.core.errors import LibraryUnavailableError, StorageFullError
from central.core.ids import new_id
from central.library.disk import ADVICE, Disk

YOUNG_S: Final = 60.0
"""A file is locked a moment after it is made: until then it is not swept."""


class Scratch:
    """The copies of one process, and the remains of others."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk

    def require_room(self, size: int) -> Path:
        """The folder, where a copy of so many bytes fits. Raises StorageFullError or LibraryUnavailableError."""
        folder = self._disk.root / "scratch"
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._disk.require_room(size)
        except OSError as error:
            raise LibraryUnavailableError(
                f"The folder of the library cannot be written to ({error.strerror}). {ADVICE}"
            ) from error
        return folder

    def begin(self, size: int) -> BinaryIO:
        """An empty file whose bytes are reserved on the disk. Raises StorageFullError or LibraryUnavailableError."""
        file = (self.require_room(size) / new_id()).open("xb", buffering=0)
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            os.posix_fallocate(file.fileno(), 0, size)
        except OSError as error:
            self.end(file)
            raise full(error) from error
        return file

    def end(self, file: BinaryIO) -> None:
        """Remove a file."""
        Path(file.name).unlink(missing_ok=True)
        file.close()

    def sweep(self) -> None:
        """Remove the files of processes that are not there any more."""
        for path in (self._disk.root / "scratch").glob("*"):
            with path.open("rb") as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    continue
                if time.time() - os.fstat(file.fileno()).st_mtime > YOUNG_S:
                    path.unlink(missing_ok=True)


def full(error: OSError) -> StorageFullError:
    """The error of a disk that takes no more."""
    return StorageFullError(
        f"The disk of the library takes no more ({error.strerror}). Free space on it, or set dir in the section "
        "[library] to a folder on a larger one."
    )
