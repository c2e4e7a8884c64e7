"""The storage in a folder: a file for each video, named by its id, and in `renditions` a folder for what is made of it.

How many bytes a file has is how far its upload is: nothing else counts them, so nothing can differ from them after a
crash.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import BinaryIO, Final

from central.core.errors import (
    LibraryUnavailableError,
    StorageFullError,
    UploadIncompleteError,
    UploadInUseError,
    WrongOffsetError,
)
from central.core.replies import FileReply
from central.core.threads import in_thread, open_in_thread
from central.core.uploads import Upload
from central.core.workers import Worker
from central.library.disk import ADVICE, Disk, synced
from central.library.parts import TOLD, Part, Plan, bounds, part_size, too_much

MARK: Final = ".cast-central"
"""A file that is in the folder, and not where a disk should be mounted that has it."""
MADE: Final = "renditions"
"""The folder of what is made, with one in it for each video."""
PIECE: Final = 1024 * 1024
"""Bytes that are written together: a thread costs more than to write a few."""


class Folder:
    """A Storage. Its folder is made when the first video is reserved."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        self.workers: Mapping[str, Worker] = {}

    async def reserve(self, video_id: str, size: int, *, begun: Mapping[str, int]) -> None:
        """See Storage."""

        def make() -> None:
            file = self._file(video_id)
            try:
                file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                awaited = sum(begun.values()) - sum(self._received(begun).values())
                self._disk.require_room(size, awaited=awaited)
                (file.parent / MARK).touch(mode=0o600)
                # An import that was killed before there was a row has left one, which is empty, too.
                os.close(os.open(file, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o600))
            except OSError as error:
                raise LibraryUnavailableError(
                    f"The folder of the library cannot be written to ({error.strerror}). {ADVICE}"
                ) from error

        await in_thread(make)

    async def received(self, sizes: Mapping[str, int]) -> Mapping[str, int]:
        """See Storage."""
        return await in_thread(self._received, sizes)

    async def plan(self, video_id: str, size: int) -> Plan:
        """The parts behind what is there, one after the other: the file has no holes."""
        received = (await self.received({video_id: size}))[video_id]
        missing = (
            Part(number, begin, offset + length - begin, f"/api/v1/videos/{video_id}/content?offset={begin}")
            for number, offset, length in bounds(size)
            if (begin := max(offset, received)) < offset + length
        )
        return Plan(part_size(size), 1, received, tuple(islice(missing, TOLD)))

    async def receive(self, video_id: str, size: int, upload: Upload, *, offset: int) -> None:
        """See Storage. Never holds more than a piece of it."""
        async with self.held(video_id) as file:
            length = await in_thread(file.seek, 0, os.SEEK_END)
            if offset != length:
                raise WrongOffsetError(f"{length} bytes are there. Send those behind them, with ?offset={length}.")
            room = size - length
            if upload.length is not None and upload.length > room:
                raise too_much(size)
            piece = bytearray()
            try:
                async for chunk in upload.chunks:
                    if len(piece) + len(chunk) > room:
                        raise too_much(size)
                    piece += chunk
                    if len(piece) >= PIECE:
                        written, piece = piece, bytearray()
                        room -= len(written)
                        await _add(file, written)
            finally:
                if piece:
                    await _add(file, piece)

    @asynccontextmanager
    async def held(self, video_id: str) -> AsyncIterator[BinaryIO]:
        """See Storage. The file is nobody else's, here or in another process, until it is closed."""
        async with open_in_thread(self._take, video_id) as file:
            yield file

    async def require_whole(self, video_id: str, size: int) -> None:
        """See Storage."""
        if (length := await in_thread(synced, self._file(video_id))) != size:
            raise UploadIncompleteError(f"{length} of {size} bytes are there. Send the rest with ?offset={length}.")

    @asynccontextmanager
    async def local(self, video_id: str, size: int) -> AsyncIterator[Path]:
        """The file itself."""
        await in_thread(self._stat, video_id)
        yield self._file(video_id)

    async def touched(self, video_id: str) -> datetime:
        """See Storage."""
        return datetime.fromtimestamp((await in_thread(self._stat, video_id)).st_mtime, UTC)

    async def keep(self, video_id: str, rendition_id: str, made: Path) -> None:
        """Move it to its place."""

        def move() -> None:
            self._made(video_id).mkdir(mode=0o700, parents=True, exist_ok=True)
            made.rename(self._made(video_id) / rendition_id)

        await in_thread(move)

    async def discard(self, video_id: str, rendition_id: str) -> None:
        """See Storage."""
        await in_thread((self._made(video_id) / rendition_id).unlink, True)

    async def delete(self, video_id: str) -> None:
        """See Storage. Raises LibraryUnavailableError when all are away, and this one would come back with them."""

        def remove() -> None:
            try:
                self._file(video_id).unlink()
            except FileNotFoundError as error:
                self._require_mark(error)
            with suppress(FileNotFoundError):
                shutil.rmtree(self._made(video_id))

        await in_thread(remove)

    async def tidy(self, before: datetime) -> Sequence[str]:
        """None: a file is made a moment before its row, and what a crash leaves then is empty."""
        return ()

    async def address(self, video_id: str, rendition_id: str | None, media_type: str, valid_for: timedelta) -> None:
        """None: no other server has the bytes."""

    async def reply(self, video_id: str, rendition_id: str | None, media_type: str) -> FileReply:
        """See Storage; whoever sends the file notices that it is not there."""
        path = self._file(video_id) if rendition_id is None else self._made(video_id) / rendition_id
        return FileReply(path, media_type)

    def _file(self, video_id: str) -> Path:
        return self._disk.root / video_id

    def _made(self, video_id: str) -> Path:
        return self._disk.root / MADE / video_id

    def _received(self, sizes: Mapping[str, int]) -> dict[str, int]:
        found = {}
        for video_id in sizes:
            try:
                found[video_id] = self._file(video_id).stat().st_size
            except FileNotFoundError:
                found[video_id] = 0
        return found

    def _stat(self, video_id: str) -> os.stat_result:
        """Raises FileNotFoundError when the file has been deleted, LibraryUnavailableError when all are away."""
        try:
            return self._file(video_id).stat()
        except FileNotFoundError as error:
            self._require_mark(error)
            raise

    def _take(self, video_id: str) -> BinaryIO:
        """The file, open and locked."""
        self._stat(video_id)
        file = self._file(video_id).open("r+b", buffering=0)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.close()
            raise UploadInUseError(
                "Another connection sends this video. One that has fallen silent is given up after 30 s; try again "
                "then, or end it."
            ) from error
        return file

    def _require_mark(self, error: FileNotFoundError) -> None:
        if not (self._disk.root / MARK).exists():
            raise LibraryUnavailableError(
                f"The videos are not in {self._disk.root}. Mount the disk that holds them, or set dir in the section "
                "[library]."
            ) from error


async def _add(file: BinaryIO, piece: bytearray) -> None:
    """Raises StorageFullError."""

    def write() -> None:
        rest = memoryview(piece)
        while rest:
            rest = rest[file.write(rest) :]

    try:
        await in_thread(write)
    except OSError as error:
        raise StorageFullError(
            f"The disk of the library takes no more ({error.strerror}). Free space on it, and go on from `received`."
        ) from error
