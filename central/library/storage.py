"""What the library asks of the place where it keeps the bytes of videos, and those of what is made of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

from central.core.replies import FileReply, StreamReply
from central.core.uploads import Upload
from central.core.workers import Worker
from central.library.parts import Plan


class Storage(Protocol):
    """A folder or a bucket. Files are named by ids, never by what a caller said.

    Each call may raise LibraryUnavailableError, while nothing can be read or written.
    """

    workers: Mapping[str, Worker]
    """What is to run beside it, by name."""

    async def reserve(self, video_id: str, size: int, *, begun: Mapping[str, int]) -> None:
        """Begin a video of that size; `begun` has the sizes of the other uploads, by id. Raises StorageFullError."""

    async def received(self, sizes: Mapping[str, int]) -> Mapping[str, int]:
        """The bytes that are there of each of these uploads, whose sizes are given by id. A storage that does not
        answer has 0 of each: lists go on."""

    async def plan(self, video_id: str, size: int) -> Plan:
        """The parts that are still to be sent."""

    async def receive(self, video_id: str, size: int, upload: Upload, *, offset: int) -> None:
        """Add what comes behind the bytes that are there, of which there are `offset`. What came before something went
        wrong stays.

        Raises UploadInUseError, WrongOffsetError, TooLargeError, StorageFullError, OverloadedError, what `upload`
        raises, and FileNotFoundError when the video has been deleted.
        """

    def held(self, video_id: str) -> AbstractAsyncContextManager[object]:
        """Have the video alone: nobody else checks or removes it meanwhile. Raises UploadInUseError when somebody else
        has it, and FileNotFoundError when its file has been deleted."""

    async def require_whole(self, video_id: str, size: int) -> None:
        """Raise UploadIncompleteError unless all bytes are there, and will be after a power cut."""

    def local(self, video_id: str, size: int) -> AbstractAsyncContextManager[Path]:
        """A file of this machine with all bytes of a video, which is nobody's to change, for as long as this lasts.

        Raises FileNotFoundError when they have been deleted, OSError when they cannot be read, StorageFullError when
        there is no room for them here.
        """

    async def touched(self, video_id: str) -> datetime:
        """The moment at which the last bytes came. Raises FileNotFoundError when there are none, and never were."""

    async def keep(self, video_id: str, rendition_id: str, made: Path) -> None:
        """Keep what was made of a video. Raises OSError, also when `made` is not there any more."""

    async def discard(self, video_id: str, rendition_id: str) -> None:
        """Delete what was made under this id. Idempotent."""

    async def delete(self, video_id: str) -> None:
        """Delete the bytes of a video, and all that was made of it. Idempotent."""

    async def tidy(self, before: datetime) -> Sequence[str]:
        """Remove what a crash has left here. Return videos whose uploads began before that moment and are not whole,
        a portion of them: some may be known to nobody."""

    async def address(
        self, video_id: str, rendition_id: str | None, media_type: str, valid_for: timedelta
    ) -> str | None:
        """An absolute address with which anybody gets the bytes of a video, or of a rendition; None where they are
        served by `reply` alone."""

    async def reply(self, video_id: str, rendition_id: str | None, media_type: str) -> FileReply | StreamReply:
        """The same bytes as an answer. Raises MissingError."""
