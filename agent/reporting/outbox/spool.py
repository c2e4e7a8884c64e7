"""The events that the disk has not confirmed, in a file that outlives this process.

One `write` of it survives a `kill -9` as soon as it returns. In memory (a tmpfs) it never waits for a disk; there a
power cut takes it, and anywhere else too, because nothing is flushed.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Final

import structlog
from pydantic import Field, TypeAdapter

from agent.events.event import Occurrence, Run
from agent.reporting.outbox.reader import Reader

BYTES_LIMIT: Final = 4 * 1024 * 1024
"""Bytes of the spool. It holds what one commit of the outbox takes, some KiB, more if the disk hangs or is full."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Entry:
    """An occurrence with its place among all of its run."""

    run: Run
    number: int
    """The number, from 1."""
    occurrence: Annotated[Occurrence, Field(alias="happening")]
    """Under the name that it has in the files of earlier versions."""
    readers: Mapping[str, str] = field(default_factory=dict)
    """The identities of the readers at that moment, by name, as far as they have one; an earlier version told none."""


_ENTRY: Final = TypeAdapter(Entry)


class Spool:
    """One line for each occurrence, from the first that the outbox may not have. Where it cannot be written all goes on
    without it, and that is said once: what happens just before a kill is not reported then."""

    def __init__(self, file: Path, *, run: Run, readers: Mapping[str, Reader]) -> None:
        self._file = file
        self._run = run
        self._descriptor: int | None = None
        self._size = 0
        self._fails = False
        self.follow(readers)

    def follow(self, readers: Mapping[str, Reader]) -> None:
        """Set the readers of what is appended from now on."""
        self._readers = {name: reader.identity for name, reader in readers.items() if reader.identity is not None}

    def open(self) -> bytes:
        """The lines that were left in it. A last one that is torn was never said to be there."""
        try:
            self._descriptor = descriptor = _open(self._file)
            left = os.read(descriptor, BYTES_LIMIT)
            self._size = left.rfind(b"\n") + 1
            os.ftruncate(descriptor, self._size)
        except OSError as error:
            self._failed(error)
            self.close()
            return b""
        return left[: self._size]

    def append(self, number: int, occurrence: Occurrence) -> bool:
        """Append a line, in microseconds. Return True if a kill cannot undo it any more."""
        if self._descriptor is None:
            return False
        try:
            line = _ENTRY.dump_json(Entry(self._run, number, occurrence, self._readers), by_alias=True) + b"\n"
            if self._size + len(line) > BYTES_LIMIT:
                raise OSError(errno.ENOSPC, "what waits for the disk is too much for it")
            if os.write(self._descriptor, line) < len(line):
                os.ftruncate(self._descriptor, self._size)
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except (OSError, ValueError) as error:
            self._failed(error)
            return False
        self._size += len(line)
        if self._fails:
            self._fails = False
            log.info("event_spool_recovered", file=str(self._file))
        return True

    def empty(self) -> None:
        """Empty the spool: the outbox has all of it."""
        if self._descriptor is None or not self._size:
            return
        try:
            os.ftruncate(self._descriptor, 0)
        except OSError as error:  # what is in it twice is known by its number
            self._failed(error)
        else:
            self._size = 0

    def close(self) -> None:
        """Idempotent. What is in it stays for the next run."""
        if self._descriptor is None:
            return
        os.close(self._descriptor)
        self._descriptor = None
        if not self._size:
            with contextlib.suppress(OSError):
                self._file.unlink()

    def _failed(self, error: OSError | ValueError) -> None:
        if not self._fails:
            self._fails = True
            reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
            hint = "Events in the moment before a crash may not be reported."
            log.warning("event_spool_failed", file=str(self._file), reason=reason, hint=hint)


def spool_file(folder: Path, *, state: Path) -> Path:
    """The spool of the agent with this state directory; several may share the folder."""
    return folder / f"outbox-{hashlib.sha256(bytes(state.absolute())).hexdigest()[:12]}.spool"


def entries_in(left: bytes) -> tuple[list[Entry], int]:
    """And how many lines there are that are none."""
    entries, damaged = [], 0
    for line in left.splitlines():
        try:
            entries.append(_ENTRY.validate_json(line))
        except ValueError:
            damaged += 1
    return entries, damaged


def _open(file: Path) -> int:
    """Open the file. Raises OSError."""
    file.parent.mkdir(mode=0o700, exist_ok=True)
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid():
        os.close(descriptor)
        raise PermissionError(errno.EPERM, "it is not a file of this user")
    return descriptor
