"""A folder on a network share whose server is gone: whoever looks into it waits without end."""

from __future__ import annotations

import ctypes
import os
import tempfile
from pathlib import Path
from types import TracebackType

_libc = ctypes.CDLL(None, use_errno=True)
_MNT_DETACH = 2


class DeadShare:
    """`with DeadShare() as folder:`; a FUSE file system that nobody serves. Raises OSError where one may not mount."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="dead-share-")
        self._device = -1

    def __enter__(self) -> Path:
        try:
            self._device = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
        except OSError:  # a container without it
            self._folder.cleanup()
            raise
        options = f"fd={self._device},rootmode=40000,user_id=0,group_id=0,allow_other".encode()
        if _libc.mount(b"dead", self._folder.name.encode(), b"fuse", 0, options) != 0:
            number = ctypes.get_errno()
            os.close(self._device)
            self._folder.cleanup()
            raise OSError(number, os.strerror(number))
        return Path(self._folder.name)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._device)  # whoever waits is told that there is no server
        _libc.umount2(self._folder.name.encode(), _MNT_DETACH)
        self._folder.cleanup()
