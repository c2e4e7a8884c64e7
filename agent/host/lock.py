"""One agent for each state directory: two would undo each other's writes."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import structlog

from agent.errors import ConfigError

FILE: Final = "agent.lock"

log = structlog.get_logger(__name__)


@contextlib.contextmanager
def only_agent(folder: Path) -> Iterator[None]:
    """Hold the state directory until the end of the block; the kernel lets go of it when the process ends, however.

    Makes the directory (0700) where there is none. Blocks for the file system. Raises ConfigError when another agent
    has it. Where nothing can be locked (a read-only disk, a share without locks) that is logged and no more.
    """
    descriptor = -1
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(folder / FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        holder = os.read(descriptor, 20).decode(errors="replace").strip()
        os.close(descriptor)
        raise ConfigError(
            f"Another cast-agent{f' (process {holder})' if holder else ''} runs with the state directory {folder}. "
            "Stop that one first, or give this one a directory of its own: dir in the section [state], or "
            "CAST_AGENT_STATE__DIR."
        ) from error
    except OSError as error:
        log.warning("state_lock_failed", folder=str(folder), reason=error.strerror)
    else:
        _sign(descriptor, folder)
    try:
        yield
    finally:
        if descriptor >= 0:
            os.close(descriptor)


def _sign(descriptor: int, folder: Path) -> None:
    """Say who holds it; root's may be another user's later. A full disk holds as well."""
    with contextlib.suppress(OSError):
        if os.geteuid() == 0:
            owner = folder.stat()
            os.fchown(descriptor, owner.st_uid, owner.st_gid)
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
