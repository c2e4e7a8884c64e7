"""The state of the storage: the disk of the state directory may be full, read-only or dead."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

import structlog

from agent.host import identity
from agent.host.identity import Identity
from agent.util.threads import Threads
from cast_util.health import Check
from cast_util.tasks import Supervisor

LOOK_EVERY_S: Final = 10.0
"""A look takes 0.05 ms and writes nothing: an SD card would wear out."""

ANSWER_S: Final = 5.0
"""A busy SD card takes a second."""

LEAST_BYTES: Final = 64 * 1024
"""Free; all files of the state together, without events that wait and presets, are smaller."""

log = structlog.get_logger(__name__)


class Storage:
    """Looks after `folder`. `own` is the id of this device, which is kept as soon as that can be done; `not_written`
    says why what is wanted on the screen could not be written, empty when it could."""

    def __init__(
        self, folder: Path, own: Identity, *, not_written: Callable[[], str], supervisor: Supervisor | None = None
    ) -> None:
        self._folder = folder
        self._own = own
        self._not_written = not_written
        self._supervisor = supervisor or Supervisor()
        self._problem = ""
        self._told = ""
        self._threads = Threads("storage", limit=1)
        self._task: asyncio.Task[None] | None = None

    @property
    def health(self) -> Check:
        """The check for /health."""
        reason = self._problem or self._not_written()
        return Check(False, sentence(self._folder, reason, own=self._own)) if reason else Check()

    def start(self) -> None:
        """Begin to look."""
        self._task = self._supervisor.start(self._watch, name="storage")

    async def stop(self) -> None:
        """Idempotent."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _watch(self) -> None:
        while True:
            try:
                self._problem = await self._threads.call(self._look, timeout_s=ANSWER_S)
            except TimeoutError:
                self._problem = "its disk does not answer"
            self._tell()
            await asyncio.sleep(LOOK_EVERY_S)

    def _look(self) -> str:
        """Blocks for the disk."""
        try:
            if not self._own.is_kept:
                identity.keep(self._folder, self._own.id)
                self._own = replace(self._own, is_kept=True)
            try_folder(self._folder)
        except OSError as error:
            return error.strerror or type(error).__name__
        return ""

    def _tell(self) -> None:
        health = self.health
        if health.message == self._told:
            return
        self._told = health.message
        if health.available:
            log.info("storage_recovered", folder=str(self._folder))
        else:
            log.warning("storage_failed", folder=str(self._folder), reason=health.message)


def try_folder(folder: Path) -> None:
    """Raise OSError when nothing can be written there, as far as that is known without writing. Blocks."""
    found = os.statvfs(folder)
    if found.f_flag & os.ST_RDONLY:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))
    if not os.access(folder, os.W_OK | os.X_OK):
        raise OSError(errno.EACCES, os.strerror(errno.EACCES))
    root = os.geteuid() == 0  # some of the blocks are for root alone
    free = (found.f_bfree if root else found.f_bavail) * found.f_frsize
    files = found.f_ffree if root else found.f_favail
    if free < LEAST_BYTES or (found.f_files and not files):  # some file systems do not count files
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def sentence(folder: Path, reason: str, *, own: Identity) -> str:
    """A sentence that says what is wrong and what to do."""
    lost = "The current streams would not come back after a restart"
    if not own.is_kept:
        lost = "The id of this box is not kept, and the current streams would not come back after a restart"
    return (
        f"{lost}: nothing can be written to {folder} ({reason}). Free some space if the disk is full, let the user who "
        "runs cast-agent write there, or set dir in the section [state]; a card that has become read-only is worn out."
    )
