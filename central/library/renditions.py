"""The files that are made of videos, in two folders beside theirs: `work`, with a folder for each that is being made,
and `renditions`, with a folder for each video. Both are named by ids alone.

What is called here waits for the disk, so it is called in a thread. A folder in `work` is there until the database says
what became of it, so after a crash at any moment the sweep finds what nobody needs.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from central.core.ids import is_id
from central.library.folder import Folder

SWEPT: Final = 100
"""The most folders of one sweep."""


class Renditions:
    """A rendition is named by the lease under which it was made, so two that make the same never share a file."""

    def __init__(self, folder: Folder) -> None:
        self._folder = folder

    def file(self, video_id: str, rendition_id: str) -> Path:
        """The file with the bytes of a rendition. Raises LibraryUnavailableError where there is no folder."""
        return self._of(video_id) / rendition_id

    def begin(self, video_id: str, lease_id: str) -> Path:
        """A new folder to make it in. Raises OSError."""
        folder = self._work(video_id, lease_id)
        folder.mkdir(mode=0o700, parents=True)
        return folder

    def keep(self, video_id: str, lease_id: str, made: Path) -> None:
        """Move what was made to its place. Raises OSError, also when it was discarded meanwhile."""
        self._of(video_id).mkdir(mode=0o700, parents=True, exist_ok=True)
        made.rename(self.file(video_id, lease_id))

    def end(self, video_id: str, lease_id: str) -> None:
        """Remove its folder in `work`, because the database knows it. Idempotent."""
        _remove(self._work(video_id, lease_id))

    def discard(self, video_id: str, lease_id: str) -> None:
        """Delete all that was made under this lease. Idempotent."""
        self.end(video_id, lease_id)  # first, so that nothing is kept any more
        with suppress(FileNotFoundError):
            self.file(video_id, lease_id).unlink()

    def delete(self, video_id: str) -> None:
        """Delete all that was made of a video. Idempotent."""
        _remove(self._of(video_id))

    def begun(self) -> Sequence[tuple[str, str]]:
        """Videos and leases of which there is a folder in `work`, at most SWEPT."""
        try:
            names = [entry.name for entry in (self._folder.root / "work").iterdir()]
        except FileNotFoundError:
            return ()
        pairs = [(video_id, lease_id) for video_id, _, lease_id in (name.partition(".") for name in names)]
        return [pair for pair in pairs if all(map(is_id, pair))][:SWEPT]

    def _of(self, video_id: str) -> Path:
        return self._folder.root / "renditions" / video_id

    def _work(self, video_id: str, lease_id: str) -> Path:
        return self._folder.root / "work" / f"{video_id}.{lease_id}"


def _remove(folder: Path) -> None:
    with suppress(FileNotFoundError):
        shutil.rmtree(folder)
