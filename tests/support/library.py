"""A cache of the library's videos, with scripted bytes in place of the central API."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from pathlib import Path

from agent.casting.entries import Entries, NotKept
from agent.casting.joined_source import NoStreams, Streams
from agent.library.cache import VideoCache
from agent.library.fetching import Download
from agent.snapshot import SessionSnapshot
from cast_util.tasks import Supervisor


async def nothing(url: str, offset: int) -> AsyncGenerator[bytes, None]:
    """No bytes."""
    return
    yield b""


def video_cache(
    folder: Path,
    *,
    streams: Streams | None = None,
    download: Download = nothing,
    limit: int = 0,
    sessions: Callable[[], Sequence[SessionSnapshot]] = tuple,
    file: Entries | None = None,
) -> VideoCache:
    """A cache that is off unless it has a limit."""
    return VideoCache(
        streams or NoStreams(),
        file=file or NotKept(),
        folder=folder,
        download=download,
        limit=limit,
        sessions=sessions,
        supervisor=Supervisor(),
    )
