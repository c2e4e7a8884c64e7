"""The files that MediaMTX makes of what it records: a folder for each path, and in it a file for each segment, named by
its beginning (`central.media.mediamtx.SEGMENT`). What is called here waits for the disk: it is called in a thread."""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Final

from central.core.ids import id_of, is_id
from central.live.types import FOLDER
from central.media.server import Look

SETTLED_S: Final = 2.0
"""A segment that is finished was not written to for that long: MediaMTX writes its length after its stream has left the
list of paths."""

SILENT_S: Final = 30.0
"""The same while its path is on, and should not be recorded: MediaMTX may be configured to record everything. It drops
a publisher from which nothing comes for 10 s."""

HEAD: Final = 65_536
"""Bytes: the tracks of an MP4 of MediaMTX are described within the first few kB."""

_NAME: Final = re.compile(r"\d{9,11}-\d{6}\.mp4")
_VIDEO_TRACK: Final = re.compile(rb"hdlr.{8}vide", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Segment:
    """A recording that is finished."""

    file: Path
    live_id: str
    began_at: datetime

    @property
    def video_id(self) -> str:
        """The id of the video that is made of it, whoever makes it."""
        return id_of(f"{self.live_id}/{self.file.name}", self.began_at)


def finished(root: Path, look: Look) -> list[Segment]:
    """Those that MediaMTX had closed before that look, the oldest first. Raises OSError when `root` cannot be read."""
    if not root.is_dir():
        raise FileNotFoundError(2, "there is no such folder", str(root))
    found = [segment for live_id, folder in _folders(root / FOLDER) for segment in _closed(live_id, folder, look)]
    return sorted(found, key=lambda segment: segment.began_at)


def take(segment: Segment) -> BinaryIO | None:
    """The file, for nobody else until it is closed, here or in another process; None if somebody else has it, or had it
    and has removed it."""
    try:
        file = segment.file.open("rb")
    except FileNotFoundError:
        return None
    with suppress(BlockingIOError, FileNotFoundError):
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(file.fileno()), segment.file.stat()):
            return file
    file.close()
    return None


def has_pictures(file: BinaryIO) -> bool:
    """Return True if one of its tracks is a video."""
    file.seek(0)
    return _VIDEO_TRACK.search(file.read(HEAD)) is not None


def remove(segment: Segment) -> None:
    """Delete the file. Raises OSError."""
    segment.file.unlink(missing_ok=True)


def tidy(root: Path, look: Look) -> None:
    """Delete the empty folders of paths that are not recorded any more."""
    for live_id, folder in _folders(root / FOLDER):
        if f"{FOLDER}/{live_id}" not in look.recorded:
            with suppress(OSError):  # not empty, or not ours to delete
                folder.rmdir()


def _folders(lives: Path) -> Iterator[tuple[str, Path]]:
    if lives.is_dir():
        yield from ((folder.name, folder) for folder in lives.iterdir() if is_id(folder.name))


def _closed(live_id: str, folder: Path, look: Look) -> Iterator[Segment]:
    """All but the last of them, while MediaMTX may write to that."""
    path = f"{FOLDER}/{live_id}"
    is_on = path in {publisher.path for publisher in look.publishers}
    written_at = {}
    for file in folder.iterdir():
        with suppress(FileNotFoundError):  # another instance has just taken it
            if _NAME.fullmatch(file.name):
                written_at[file] = file.stat().st_mtime
    files = sorted(written_at, key=lambda file: (written_at[file], file.name))
    for file in files[:-1] if is_on and path in look.recorded else files:
        quiet_s = SILENT_S if is_on and file == files[-1] else SETTLED_S
        if written_at[file] < look.asked_at - quiet_s:
            seconds, microseconds = map(int, file.stem.split("-"))
            yield Segment(file, live_id, datetime.fromtimestamp(seconds, UTC).replace(microsecond=microseconds))
