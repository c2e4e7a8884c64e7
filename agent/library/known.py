"""The facts that this box knows of the videos that it played: the central API's last answer on each, and the time at
which it was seen."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from agent.casting.entries import Entries
from agent.casting.video_source import CentralVideo

KNOWN_LIMIT: Final = 500
"""Videos; the one that was played longest ago goes first. An entry has some 400 bytes."""

KNOWN_FOR: Final = timedelta(days=30)
"""Since the central API confirmed a video last: a box that never reaches it again must not show for ever what may have
been deleted there."""

_HASH: Final = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class KnownVideo:
    """One video, as the central API described it last. The times are RFC 3339 in UTC."""

    video_id: str
    title: str
    type: str
    size: int
    sha256: str
    confirmed_at: str
    played_at: str = ""
    """Empty before its first picture."""

    @property
    def is_fresh(self) -> bool:
        """Return True if it may be played while the central API is away."""
        return datetime.now(UTC) - datetime.fromisoformat(self.confirmed_at) < KNOWN_FOR


class KnownVideos:
    """The videos by id, kept in `file` from their first picture on."""

    def __init__(self, file: Entries) -> None:
        self._file = file
        self._videos: dict[str, KnownVideo] | None = None
        """The one that was played longest ago first; None until the file is read."""

    async def all(self) -> Mapping[str, KnownVideo]:
        """All of them, the one that was played longest ago first. Raises StorageError."""
        if self._videos is None:
            entries = await self._file.read()
            if self._videos is None:  # another call may have read, and changed, them meanwhile
                found = [video for video in map(_video, entries) if video is not None][-KNOWN_LIMIT:]
                self._videos = {video.video_id: video for video in found}
        return self._videos

    async def confirm(self, video_id: str, video: CentralVideo) -> None:
        """Remember the answer of the central API; on the disk once it is played. Raises StorageError."""
        await self.all()
        assert self._videos is not None
        before = self._videos.get(video_id)
        self._videos[video_id] = KnownVideo(
            video_id,
            video.title,
            video.type,
            video.size,
            video.sha256,
            confirmed_at=_now(),
            played_at=before.played_at if before else "",
        )
        for oldest in list(self._videos)[:-KNOWN_LIMIT]:
            del self._videos[oldest]

    async def played(self, video_id: str) -> None:
        """Record that it is on the screen. Raises StorageError."""
        await self.all()
        assert self._videos is not None
        if (video := self._videos.pop(video_id, None)) is not None:
            self._videos[video_id] = replace(video, played_at=_now())
            await self._write()

    async def forget(self, *video_ids: str) -> None:
        """Forget these. Raises StorageError."""
        await self.all()
        assert self._videos is not None
        if [video_id for video_id in video_ids if self._videos.pop(video_id, None) is not None]:
            await self._write()

    async def _write(self) -> None:
        assert self._videos is not None
        await self._file.write([asdict(video) for video in self._videos.values() if video.played_at])


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _video(entry: Mapping[str, Any]) -> KnownVideo | None:
    """The stored entry; None if it is invalid."""
    try:
        video = KnownVideo(**entry)
        for moment in (video.confirmed_at, video.played_at):
            if datetime.fromisoformat(moment).tzinfo is None:
                return None
        texts = (video.video_id, video.title, video.type)
        is_valid = all(isinstance(text, str) for text in texts) and isinstance(video.size, int) and video.size > 0
        return video if is_valid and _HASH.fullmatch(video.sha256) else None
    except (TypeError, ValueError):
        return None
