"""Files that a power cut must not tear."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path


def write_whole(file: Path, content: str | bytes, *, durable: bool = True, fresh: bool = False) -> None:
    """Write the file as a whole or not at all, also when the power fails in between. Its mode is 0600. With `fresh`
    one that is there stays, and FileExistsError is raised.

    Written by root it belongs to the owner of its folder: a command of root's works beside a daemon of another user.
    Without `durable` a power cut may tear or lose it, but nothing waits for the disk: 0.1 ms instead of up to seconds
    on an SD card. Either way it outlives the process once this returns. Blocks. Raises OSError.
    """
    descriptor, temporary = tempfile.mkstemp(prefix=f".{file.name}-", dir=file.parent)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            if os.geteuid() == 0:
                folder = file.parent.stat()
                os.fchown(stream.fileno(), folder.st_uid, folder.st_gid)
            stream.write(content.encode() if isinstance(content, str) else content)
            stream.flush()
            if durable:
                os.fsync(stream.fileno())
        if fresh:
            file.hardlink_to(temporary)
            Path(temporary).unlink()
        else:
            Path(temporary).replace(file)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    if not durable:
        return
    # The rename itself survives a power cut only once the directory is on the disk.
    directory = os.open(file.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def remove_leftovers(file: Path) -> None:
    """Remove what writes of the file have left in whose middle their process was killed. Only for who alone writes it,
    and while nothing is written. Blocks; a card that has become read-only is no error."""
    with contextlib.suppress(OSError):
        for left in file.parent.glob(f".{file.name}-*"):
            left.unlink()
