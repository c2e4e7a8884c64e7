"""Means of confinement, one at a time, and who opens what."""

from __future__ import annotations

import ctypes
import os
import struct
import subprocess
from pathlib import Path

import pytest

from cast_util import landlock

LANDLOCK, NAMESPACE, NOTHING = "landlock", "mount namespace", "none"
WITHOUT = {LANDLOCK: "", NAMESPACE: "landlock", NOTHING: "landlock,namespace"}
"""The value of CONFINE_WITHOUT that leaves each means alone."""

_IN_OPEN = 0x20


def skip_unless_there(means: str) -> None:
    """Skip the test where the machine does not have it."""
    if means == LANDLOCK and not landlock.abi():
        pytest.skip("this kernel has no Landlock")
    if means == NAMESPACE and subprocess.run(["unshare", "--mount", "true"], capture_output=True).returncode:
        pytest.skip("mount namespaces cannot be made here")


class Opened:
    """The files of a folder that anybody opens, while in a `with`; by inotify. The folder itself is `.`."""

    def __init__(self, folder: Path) -> None:
        libc = ctypes.CDLL(None)
        self._descriptor = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        libc.inotify_add_watch(self._descriptor, os.fsencode(folder), _IN_OPEN)

    def __enter__(self) -> Opened:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)

    def names(self) -> set[str]:
        """Since the last call."""
        try:
            data = os.read(self._descriptor, 65536)
        except BlockingIOError:
            return set()
        found = set()
        while data:
            length = struct.unpack_from("iIII", data)[3]
            found.add(data[16 : 16 + length].rstrip(b"\0").decode() or ".")
            data = data[16 + length :]
        return found
