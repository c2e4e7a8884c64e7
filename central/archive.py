"""A backup as a tar archive: a manifest, the database, the files of the library, and last the SHA-256 of each, as
sha256sum(1) writes them. What is cut off has no end, and what is damaged has another sum."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import IO, Final

from pydantic import BaseModel

from central.core.errors import BackupError

MANIFEST: Final = "manifest.json"
DATABASE: Final = "database"
LIBRARY: Final = "library/"
"""The beginning of the names of the library's files."""
SUMS: Final = "SHA256SUMS"

FORMAT: Final = 1
"""Raised when an older program would restore an archive wrongly."""

PIECE: Final = 1024 * 1024
"""Bytes that are read and written together."""
MANIFEST_LIMIT: Final = 64 * 1024
"""Bytes; it has a line for each table."""
SUMS_IN_MEMORY: Final = 4 * 1024 * 1024
"""Bytes of sums, some 30,000 files, before they go into a temporary file."""


class Manifest(BaseModel):
    """The description of a backup."""

    format: int
    version: str
    """The version of the program that made it."""
    revision: str
    """The revision of the tables."""
    database: str
    """`sqlite` or `postgresql`."""
    made_at: datetime
    has_library: bool
    rows: dict[str, int]
    """The number of rows by table."""
    files: int
    """The number of files of the library, those included that were deleted meanwhile."""


class Reading:
    """Reads a stream, and counts and hashes what it reads."""

    def __init__(self, source: IO[bytes], moved: Callable[[int], None]) -> None:
        self._source = source
        self._moved = moved
        self._found = hashlib.sha256()

    @property
    def sha256(self) -> str:
        """The sum, in hexadecimal, of what was read so far."""
        return self._found.hexdigest()

    def read(self, size: int = -1) -> bytes:
        """Raises OSError, or BackupError when an archive is cut off here."""
        try:
            piece = self._source.read(size)
        except tarfile.TarError as error:
            raise _broken(error) from error
        self._found.update(piece)
        self._moved(len(piece))
        return piece


class Writer:
    """Adds entries one after the other."""

    def __init__(self, tar: tarfile.TarFile, sums: IO[bytes], moved: Callable[[int], None]) -> None:
        self._tar = tar
        self._sums = sums
        self._moved = moved

    def add(self, name: str, source: IO[bytes]) -> None:
        """Add a file as long as it is now; what is added to it meanwhile is left out. Raises OSError."""
        status = os.fstat(source.fileno())
        reading = Reading(source, self._moved)
        self._add(name, reading, size=status.st_size, mtime=int(status.st_mtime))
        self._sums.write(_line(reading.sha256, name))

    def add_text(self, name: str, text: str) -> None:
        """Add an entry with this text. Raises OSError."""
        data = text.encode()
        self._add(name, io.BytesIO(data), size=len(data))
        self._sums.write(_line(hashlib.sha256(data).hexdigest(), name))

    def end(self) -> None:
        """Add the sums. Raises OSError."""
        size = self._sums.tell()
        self._sums.seek(0)
        self._add(SUMS, self._sums, size=size)

    def _add(self, name: str, source: IO[bytes] | Reading, *, size: int, mtime: int = 0) -> None:
        entry = tarfile.TarInfo(name)
        entry.size, entry.mtime, entry.mode = size, mtime, 0o600
        self._tar.addfile(entry, source)
        _forget_entries(self._tar)


@contextlib.contextmanager
def writing(file: IO[bytes], *, moved: Callable[[int], None]) -> Iterator[Writer]:
    """An archive, which is whole at the end of the block; `moved` is told the bytes of each piece. Raises OSError."""
    with (
        tempfile.SpooledTemporaryFile(SUMS_IN_MEMORY) as sums,
        tarfile.open(fileobj=file, mode="w|", bufsize=PIECE, format=tarfile.PAX_FORMAT) as tar,
    ):
        writer = Writer(tar, sums, moved)
        yield writer
        writer.end()


def entries(file: IO[bytes], *, moved: Callable[[int], None]) -> Iterator[tuple[str, Reading]]:
    """The entries in their order, each to be read before the next one; checked at the end, when all are known.

    Raises BackupError when the archive is none, is cut off, or differs from its sums.
    """
    try:
        with (
            tempfile.SpooledTemporaryFile(SUMS_IN_MEMORY) as sums,
            tarfile.open(fileobj=file, mode="r|", bufsize=PIECE) as tar,
        ):
            while (entry := tar.next()) is not None:
                _forget_entries(tar)
                content = tar.extractfile(entry) if entry.isreg() else None
                if content is None:
                    raise BackupError(f"The backup holds {entry.name!r}, which is no file.")
                if entry.name == SUMS:
                    _compare(content, sums)
                    return
                reading = Reading(content, moved)
                yield entry.name, reading
                while reading.read(PIECE):
                    pass
                sums.write(_line(reading.sha256, entry.name))
    except tarfile.TarError as error:
        raise _broken(error) from error
    raise BackupError("The backup has no end: a part of it is missing.")


def _broken(error: tarfile.TarError) -> BackupError:
    return BackupError(f"This is no backup of cast-central, or a part of one ({error}).")


def _forget_entries(tar: tarfile.TarFile) -> None:
    """Drop its list of all that it wrote or read, which nothing here uses: it takes 1 kB for each."""
    tar.members.clear()  # type: ignore[attr-defined]


def _compare(content: IO[bytes], sums: IO[bytes]) -> None:
    """Raises BackupError."""
    sums.seek(0)
    for line in sums:
        if content.readline(len(line)) != line:
            name = line.decode().partition("  ")[2].strip()
            raise BackupError(f"{name} in the backup is damaged: it has another SHA-256 than when it was made.")
    if content.read(1):
        raise BackupError("The backup names files that it does not hold: a part of it is missing.")


def _line(sha256: str, name: str) -> bytes:
    return f"{sha256}  {name}\n".encode()
