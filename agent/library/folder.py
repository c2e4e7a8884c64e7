"""The files of the cache, each named by the SHA-256 of its bytes; one that is not whole yet ends in `.part`."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import hashlib
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

from agent.errors import StorageError
from agent.util.threads import Threads

LOOK_S: Final = 1.0
"""For the disk to say whether a file is there: a start waits for it. A local disk takes 0.1 ms."""

WORK_S: Final = 60.0
"""For anything else, such as a last write to a busy SD card: nobody waits for it but the download."""

KEEP_FREE: Final = 1_000_000_000
"""Bytes that the cache leaves to everything else on its disk, such as the journal and the state of the agent."""

HASHED_AT_ONCE: Final = 8 * 1024 * 1024
"""Bytes, 0.1 s of one core of a Raspberry Pi."""

HASH_PAUSE_S: Final = 0.05
"""Between two pieces, so that a decoder gets the processor in between."""

LOOKS_LIMIT: Final = 4
"""A look takes a millisecond. More than this at once are those that hang, and one more would hang, too."""

_NAME: Final = re.compile(r"([0-9a-f]{64})(\.part)?")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Held:
    """The state of one video in the folder."""

    size: int
    """Bytes."""
    is_whole: bool


class Folder:
    """The folder at `path`, made when it is needed. Nothing here blocks the event loop; what the disk refuses, or does
    not answer in time, raises StorageError."""

    def __init__(self, path: Path) -> None:
        self.path: Final = path
        self._looks = Threads("library-look", limit=LOOKS_LIMIT)
        self._work = Threads("library", limit=1)
        self._turn = asyncio.Lock()

    async def find(self, sha256: str) -> Path | None:
        """The file with these bytes; None if it is not there, or if its disk does not answer in LOOK_S."""
        file = self.path / sha256
        try:
            return file if await self._looks.call(file.is_file, timeout_s=LOOK_S) else None
        except (OSError, TimeoutError, RuntimeError):  # the last: out of threads, which passes
            return None

    async def contents(self) -> dict[str, Held]:
        """The videos in the folder, by hash."""
        return await self._call(self._contents)

    async def free(self) -> int:
        """Bytes that may still be taken: KEEP_FREE stay."""
        return await self._call(self._free)

    async def append(self, sha256: str, piece: bytes, *, offset: int) -> bool:
        """Write the piece behind the first `offset` bytes. False if those are not there any more: somebody has removed
        them."""
        return await self._call(partial(self._append, sha256, piece, offset))

    async def finish(self, sha256: str) -> bool:
        """Make a whole file of what is there if it has this hash, and remove it otherwise. Tells which."""
        digest, offset = hashlib.sha256(), 0
        while piece := await self._call(partial(self._read, sha256, offset)):
            offset += len(piece)
            await self._call(partial(digest.update, piece))
            await asyncio.sleep(HASH_PAUSE_S)
        if digest.hexdigest() != sha256:
            await self.remove(sha256)
            return False
        await self._call(partial(self._finish, sha256))
        return True

    async def remove(self, *hashes: str) -> None:
        """Remove these, whole or not. One that is on goes on: its player has it open."""
        await self._call(partial(self._remove, hashes))

    async def _call(self, work: Callable[[], T]) -> T:
        """Do it after all that was asked for before. Raises StorageError."""
        try:
            async with asyncio.timeout(WORK_S), self._turn:
                return await self._work.call(work, timeout_s=WORK_S)
        except (OSError, RuntimeError) as error:  # TimeoutError is an OSError, too
            reason = error.strerror if isinstance(error, OSError) else str(error)  # out of threads: that passes
            raise StorageError(unkept(self.path, reason or "its disk does not answer")) from error

    def _contents(self) -> dict[str, Held]:
        held: dict[str, Held] = {}
        with contextlib.suppress(FileNotFoundError), os.scandir(self.path) as files:
            for file in files:
                if (match := _NAME.fullmatch(file.name)) is not None:
                    held[match[1]] = Held(file.stat().st_size, is_whole=match[2] is None)
        return held

    def _free(self) -> int:
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = os.statvfs(self.path)
        return found.f_bavail * found.f_frsize - KEEP_FREE

    def _append(self, sha256: str, piece: bytes, offset: int) -> bool:
        if self._free() < len(piece):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        with self._part(sha256).open("ab") as stream:
            if stream.tell() != offset:
                return False
            stream.write(piece)
        return True

    def _read(self, sha256: str, offset: int) -> bytes:
        with self._part(sha256).open("rb") as stream:
            stream.seek(offset)
            return stream.read(HASHED_AT_ONCE)

    def _finish(self, sha256: str) -> None:
        part = self._part(sha256)
        with part.open("rb") as stream:
            os.fsync(stream.fileno())  # or a power cut could leave a whole name on half a file
        part.rename(self.path / sha256)

    def _remove(self, hashes: tuple[str, ...]) -> None:
        for sha256 in hashes:
            (self.path / sha256).unlink(missing_ok=True)
            self._part(sha256).unlink(missing_ok=True)

    def _part(self, sha256: str) -> Path:
        return self.path / f"{sha256}.part"


def unkept(folder: Path, reason: str) -> str:
    """A sentence that says what is wrong and what to do."""
    return (
        f"Videos of the library cannot be kept in {folder} ({reason}): they are played from the central API. Free some "
        "space if the disk is full, let the user who runs cast-agent write there, or set cache = 0 in the section "
        "[library]."
    )
