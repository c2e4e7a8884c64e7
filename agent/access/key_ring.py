"""The keys as the daemon knows them, without waiting for a disk at each request."""

from __future__ import annotations

from typing import Generic

import structlog

from agent.access.keys import K, KeysError, SecretFile, matching

log = structlog.get_logger(__name__)


class KeyRing(Generic[K]):
    """The keys of the file as the daemon knows them, current as soon as the file changes. A file that cannot be read
    changes nothing. If it could never be read, nobody is let in, with or without a key."""

    def __init__(self, file: SecretFile[K]) -> None:
        self._file = file
        self._noun = file.kind.noun
        self._keys: tuple[K, ...] = ()
        self._identity: tuple[int, ...] | None = ()
        """The inode, size and time of change of the file as it was read; None without a file."""
        self._problem = ""

    @property
    def needed(self) -> bool:
        """Return True if there are keys, or were before the file became unreadable."""
        return bool(self._keys) or bool(self._problem)

    def look(self) -> None:
        """See whether the file is another one now. Costs 2 µs when it is not: it is asked for at each request.

        It blocks for the disk only where everything else would too: an inode that is looked at so often is in memory
        for as long as the program is. So is what has just been written, and the next request must be judged by
        it (0.1 ms with a hundred keys).
        """
        try:
            found = self._file.path.stat(follow_symlinks=False)
            identity = (found.st_ino, found.st_size, found.st_ctime_ns)
        except FileNotFoundError:
            identity = None
        except OSError as error:
            self._identity = ()
            self._failed(f"{self._file.path}: {error.strerror}")
            return
        if identity != self._identity:
            self._identity = identity
            self._read()

    def find(self, presented: str) -> K | None:
        """The key that this is. Takes equally long for every key that it might be."""
        return matching(self._keys, presented)

    def _read(self) -> None:
        try:
            keys = self._file.read()
        except KeysError as error:
            self._failed(str(error))
            return
        if self._problem or [key.sha256 for key in keys] != [key.sha256 for key in self._keys]:
            log.info(f"{self._noun}s_changed", names=[key.name for key in keys])
        self._keys, self._problem = keys, ""

    def _failed(self, problem: str) -> None:
        if problem != self._problem:
            log.error(f"{self._noun}_file_read_failed", reason=problem, still_let_in=[key.name for key in self._keys])
        self._problem = problem
