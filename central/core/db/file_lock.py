"""Locks on files, for processes of one machine. The kernel lets go of them when a process ends, however it ends."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from central.core.db.engine import open_private

_LOOK_AGAIN_S: Final = 0.05
"""The interval between two tries: nothing ends a wait in flock(2), and what is locked for takes longer than this."""


@contextlib.contextmanager
def locked(file: Path, *, shared: bool = False, timeout_s: float = 0.0) -> Iterator[None]:
    """Hold a lock on the file, which is made where there is none; with `shared` others may share it.

    Blocks for up to `timeout_s`: nothing is served yet. Raises BlockingIOError when others have it for longer, and
    OSError.
    """
    descriptor = open_private(file)
    try:
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise
                time.sleep(_LOOK_AGAIN_S)
        yield
    finally:
        os.close(descriptor)
