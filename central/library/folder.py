"""The bytes of videos: a file for each in one folder, named by its id, never by what a caller said.

What is called here waits for the disk, so it is called in a thread. How many bytes a file has is how far its upload is:
nothing else counts them, so nothing can differ from them after a crash.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO, Final

from central.core.errors import LibraryUnavailableError, StorageFullError, UploadInUseError

MARK: Final = ".cast-central"
"""A file that is in the folder, and not where a disk should be mounted that has it."""

_ADVICE: Final = "Set dir in the section [library] to a folder that cast-central may write to."


class Folder:
    """Made when the first video is reserved."""

    def __init__(self, path: Path | None, *, keep_free: int) -> None:
        """`keep_free` bytes of its disk are left to others. Without a path nothing can be reserved."""
        self._path = path
        self._keep_free = keep_free

    @property
    def root(self) -> Path:
        """Raises LibraryUnavailableError where there is no folder."""
        if self._path is None:
            raise LibraryUnavailableError(f"The library has no folder. {_ADVICE}")
        return self._path

    def file(self, video_id: str) -> Path:
        """The file with the bytes of a video. Raises LibraryUnavailableError where there is no folder."""
        return self.root / video_id

    def whole(self, video_id: str) -> Path:
        """The same, of a file that is there. Raises FileNotFoundError when it has been deleted, and
        LibraryUnavailableError when all are away."""
        path = self.file(video_id)
        try:
            path.stat()
        except FileNotFoundError as error:
            self._require_mark(error)
            raise
        return path

    def require_room(self, size: int, *, awaited: int = 0) -> None:
        """Raise StorageFullError unless so many bytes fit beside `awaited` ones that are to come for others."""
        disk = os.statvfs(self.root)
        room = disk.f_bavail * disk.f_frsize - self._keep_free - awaited
        if size > room:
            raise StorageFullError(
                f"It has {size} bytes, and the library has room for {max(0, room)}. Delete videos, or free space on "
                "its disk."
            )

    def make(self, video_id: str, size: int, *, awaited: int) -> None:
        """An empty file for a video of that size, if it fits beside `awaited` bytes that are to come for others.

        Raises StorageFullError or LibraryUnavailableError.
        """
        file = self.file(video_id)
        try:
            file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.require_room(size, awaited=awaited)
            (file.parent / MARK).touch(mode=0o600)
            os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))
        except OSError as error:
            raise LibraryUnavailableError(
                f"The folder of the library cannot be written to ({error.strerror}). {_ADVICE}"
            ) from error

    def received(self, video_ids: Iterable[str]) -> dict[str, int]:
        """The number of bytes that there are of each."""
        found = {}
        for video_id in video_ids:
            try:
                found[video_id] = self.file(video_id).stat().st_size
            except FileNotFoundError:
                found[video_id] = 0
        return found

    def take(self, video_id: str) -> BinaryIO:
        """The file, to be read or added to by nobody else, here or in another process, until it is closed.

        Raises UploadInUseError when somebody else has it, FileNotFoundError when it has been deleted, and
        LibraryUnavailableError when all are away.
        """
        path = self.file(video_id)
        try:
            file = path.open("r+b", buffering=0)
        except FileNotFoundError as error:
            self._require_mark(error)
            raise
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.close()
            raise UploadInUseError(
                "Another connection sends this video. One that has fallen silent is given up after 30 s; try again "
                "then, or end it."
            ) from error
        return file

    def delete(self, video_id: str) -> None:
        """Idempotent. Raises LibraryUnavailableError when all are away, and this one would come back with them."""
        path = self.file(video_id)
        try:
            path.unlink()
        except FileNotFoundError as error:
            self._require_mark(error)

    def _require_mark(self, error: FileNotFoundError) -> None:
        if not (self.root / MARK).exists():
            raise LibraryUnavailableError(
                f"The videos are not in {self.root}. Mount the disk that holds them, or set dir in the section "
                "[library]."
            ) from error
