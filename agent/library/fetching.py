"""Fetches what was played into the folder of the cache: one video after the other, and never at a stream's expense."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from typing import Final, Protocol

import structlog

from agent.casting.video_source import CentralVideo, Library
from agent.errors import (
    AgentError,
    CentralRefusedError,
    MediaError,
    NotSupportedError,
    StorageError,
    StreamNotFoundError,
)
from agent.library.folder import Folder, unkept
from agent.library.known import KnownVideos
from agent.snapshot import SessionSnapshot
from agent.types import PlayerState
from cast_util.backoff import Backoff

RATE: Final = 4_000_000
"""Bytes in a second at most: five times a 1080p film, and a third of a network of 100 Mbit/s."""

BUSY_LOOK_S: Final = 0.5
"""The interval at which it is checked that no stream loads or buffers: the next piece waits for that."""

BUSY_LOOKS: Final = 60
"""A stream that gets on no further must not stop everything for ever."""

LOOK_EVERY_S: Final = 60.0
"""The interval at which the disk is checked: other files may need the space. A check takes half a millisecond."""

PAUSES: Final = Backoff(5.0, cap_s=300.0)
"""After failures in a row: nobody waits for it."""

WANTED_LIMIT: Final = 32
"""Videos that wait to be fetched. The first one makes way: it was played longest ago."""

log = structlog.get_logger(__name__)


class Download(Protocol):
    """Fetches the bytes of a video."""

    def __call__(self, url: str, offset: int) -> AsyncGenerator[bytes, None]:
        """Its bytes from `offset` on, in pieces of a megabyte at most. Raises CentralUnavailableError."""


class Fetching:
    """`limit` is in bytes. `forget` is told the ids of videos that are not to be had any more, and `sessions` tells
    what is on or waits: that stays."""

    def __init__(
        self,
        library: Library,
        *,
        known: KnownVideos,
        folder: Folder,
        download: Download,
        limit: int,
        sessions: Callable[[], Sequence[SessionSnapshot]],
        forget: Callable[[str], Awaitable[None]],
    ) -> None:
        self._library = library
        self._known = known
        self._folder = folder
        self._download = download
        self._limit = limit
        self._sessions = sessions
        self._forget = forget
        self._wanted: dict[str, None] = {}
        self._is_wanted = asyncio.Event()
        self.used = 0
        """Bytes that the cache held when it was looked at last."""
        self.disk_problem = ""
        """A sentence that says why nothing can be kept; empty when it can."""
        self.discarded = ""
        """A sentence about the video that was thrown away last; empty once another one is whole."""

    def want(self, video_id: str) -> None:
        """Fetch this video, unless it is there."""
        self._wanted[video_id] = None
        for first in list(self._wanted)[:-WANTED_LIMIT]:
            del self._wanted[first]
        self._is_wanted.set()

    def drop(self, video_id: str) -> None:
        """Fetch it no more."""
        self._wanted.pop(video_id, None)

    async def run(self) -> None:
        """Keep the cache within its bounds and fetch what is wanted, for as long as the agent runs."""
        failures = 0
        while True:
            video_id: str | None = None
            try:
                await self._tidy()
                video_id = await self._next()
                if video_id is not None:
                    await self._fetch(video_id)
                failures, self.disk_problem = 0, ""
            except AgentError as error:
                failures += 1
                (log.warning if failures == 1 else log.debug)(
                    "video_fetch_failed", video_id=video_id, reason=str(error)
                )
                await self._take_in(error, video_id)
                await asyncio.sleep(PAUSES.after(failures))

    async def _take_in(self, error: AgentError, video_id: str | None) -> None:
        """Decide what a failure means for what is wanted."""
        if isinstance(error, StorageError):
            self.disk_problem = str(error)
        if video_id is None or isinstance(error, NotSupportedError):
            return  # the box is not registered any more
        if isinstance(error, StreamNotFoundError | MediaError | CentralRefusedError):
            with contextlib.suppress(StorageError):  # the next round says so
                await self._forget(video_id)
        else:
            self.want(video_id)  # behind the others

    async def _next(self) -> str | None:
        """The video whose turn it is; None after LOOK_EVERY_S without any."""
        self._is_wanted.clear()
        if not self._wanted:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_EVERY_S):
                    await self._is_wanted.wait()
        if not self._wanted:
            return None
        video_id = next(iter(self._wanted))
        del self._wanted[video_id]
        return video_id

    async def _fetch(self, video_id: str) -> None:
        """Have the video whole, if the cache has room for it. Raises AgentError."""
        video = await self._library.find_video(video_id)
        await self._known.confirm(video_id, video)
        if await self._folder.find(video.sha256) is not None:
            return
        if video.size > self._limit:
            reason = f"It has {video.size:,} bytes, and [library] cache allows {self._limit:,} for all videos."
            log.info("video_fetch_skipped", video_id=video_id, reason=reason)
            return
        held = (await self._folder.contents()).get(video.sha256)
        received = held.size if held is not None else 0
        await self._make_room(video.size - received, keep=video.sha256)
        if not await self._receive(video, received):
            return
        if await self._folder.finish(video.sha256):
            log.info("video_cached", video_id=video_id, bytes=video.size)
            self.discarded = ""
        else:
            self.discarded = (
                f'The bytes of "{video.title}" ({video_id}) are not those that the central API checked, so they were '
                "thrown away. It plays from the central API, and is fetched again when it is played again."
            )
            log.warning("video_discarded", video_id=video_id, reason=self.discarded)

    async def _receive(self, video: CentralVideo, received: int) -> bool:
        """Fetch what is missing. False if somebody has removed the file meanwhile. Raises AgentError."""
        if received >= video.size:
            return True
        async with aclosing(self._download(video.url, received)) as pieces:
            async for piece in pieces:
                if not await self._folder.append(video.sha256, piece, offset=received):
                    return False
                received += len(piece)
                if received > video.size:
                    break  # it cannot have the hash
                await self._be_polite(len(piece))
        return True

    async def _be_polite(self, size: int) -> None:
        """Wait until the next piece may be asked for."""
        await asyncio.sleep(size / RATE)
        for _ in range(BUSY_LOOKS):
            if not any(session.state in (PlayerState.LOADING, PlayerState.BUFFERING) for session in self._sessions()):
                return
            await asyncio.sleep(BUSY_LOOK_S)

    async def _tidy(self) -> None:
        """Remove what nobody knows and what is too much, and have what is not whole fetched. Raises StorageError."""
        videos, held = await self._known.all(), await self._folder.contents()
        if not self._limit:
            await self._known.forget(*videos)
            await self._folder.remove(*held)
            return
        known = {video.sha256: video.video_id for video in videos.values()}
        await self._folder.remove(*held.keys() - known.keys())
        await self._make_room(0)
        for sha256, video_id in known.items():
            if sha256 in held and not held[sha256].is_whole:
                self.want(video_id)

    async def _make_room(self, needed: int, *, keep: str = "") -> None:
        """Remove what was played longest ago, until so many bytes more fit. Raises StorageError if they do not."""
        videos, held = await self._known.all(), await self._folder.contents()
        ranks = {video.sha256: rank for rank, video in enumerate(videos.values())}
        ids = {session.video_id for session in self._sessions()}
        on = {video.sha256 for video_id, video in videos.items() if video_id in ids}
        free, self.used = await self._folder.free(), sum(one.size for one in held.values())
        for sha256 in sorted(held.keys() - on - {keep}, key=lambda one: ranks.get(one, -1)):
            if self.used + needed <= self._limit and free >= needed:
                break
            await self._folder.remove(sha256)
            log.info("video_removed", sha256=sha256, bytes=held[sha256].size)
            free, self.used = free + held[sha256].size, self.used - held[sha256].size
        if needed and (self.used + needed > self._limit or free < needed):
            raise StorageError(unkept(self._folder.path, f"{needed:,} bytes more do not fit"))
