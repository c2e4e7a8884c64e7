"""The cache on the box: a video of the library that was played is kept, and plays from its file from then on."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import structlog

from agent.casting.entries import Entries
from agent.casting.joined_source import Streams
from agent.casting.limits import KNOWN_S
from agent.casting.video_source import CentralVideo
from agent.errors import (
    CentralRefusedError,
    CentralUnavailableError,
    MediaError,
    StorageError,
    StreamNotFoundError,
)
from agent.events.bus import Event, EventBus, SlowFollowerError
from agent.library.fetching import Download, Fetching
from agent.library.folder import Folder
from agent.library.known import KnownVideos
from agent.snapshot import SessionSnapshot
from agent.types import CentralStream, StreamRef
from cast_util.health import Check
from cast_util.tasks import Supervisor
from cast_wire.kinds import EventKind

ANSWER_S: Final = KNOWN_S / 2
"""For the central API to say something about a video that is here: within what an attempt waits in all."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class CachedVideo:
    """One video, and what of it is here."""

    id: str
    title: str
    type: str
    size: int
    """Bytes."""
    received: int
    """Bytes that are here."""
    complete: bool
    """It plays from here."""
    played_at: str
    """When it was on the screen last, RFC 3339 in UTC."""


@dataclass(frozen=True, slots=True)
class CacheContents:
    """All of the cache."""

    limit: int
    """Bytes that it may take; 0 when it is off."""
    used: int
    """Bytes that it takes."""
    hits: int
    """Plays from here since the start of the agent."""
    misses: int
    """Plays of videos from the central API."""
    problem: str | None
    """A sentence that says what is wrong and what to do; None when all is well."""
    videos: tuple[CachedVideo, ...]
    """The one that was played last first."""


class VideoCache:
    """Streams, with a cache in front of its videos. `limit` is in bytes; with 0 there is none, and what was in it is
    removed."""

    def __init__(
        self,
        streams: Streams,
        *,
        file: Entries,
        folder: Path,
        download: Download,
        limit: int,
        sessions: Callable[[], Sequence[SessionSnapshot]],
        supervisor: Supervisor,
    ) -> None:
        self._streams = streams
        self._known = KnownVideos(file)
        self._folder = Folder(folder)
        self.limit: Final = limit
        self._sessions = sessions
        self._supervisor = supervisor
        self._fetching = Fetching(
            streams,
            known=self._known,
            folder=self._folder,
            download=download,
            limit=limit,
            sessions=sessions,
            forget=self._forget,
        )
        self._tasks: list[asyncio.Task[None]] = []
        self.hits = 0
        """Videos that came on from here since the start of the agent."""
        self.misses = 0
        """The same from the central API."""

    @property
    def used(self) -> int:
        """Bytes that it holds, as they were counted last."""
        return self._fetching.used

    @property
    def health(self) -> Check:
        """The check for /health."""
        problem = self._fetching.disk_problem
        return Check(not problem, problem)

    def start(self, bus: EventBus) -> None:
        """Begin to keep what is played, or to remove what was kept."""
        self._tasks = [self._supervisor.start(self._fetching.run, name="library-fetch")]
        if self.limit:
            self._tasks.append(self._supervisor.start(lambda: self._follow(bus), name="library"))

    async def stop(self) -> None:
        """Idempotent."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def find(self, ref: StreamRef) -> CentralStream:
        """See Streams."""
        return await self._streams.find(ref)

    async def kept_video(self, video_id: str) -> CentralVideo | None:
        """See Library. For as long as what the central API said last is fresh."""
        if not self.limit:
            return None
        try:
            video = (await self._known.all()).get(video_id)
        except StorageError:
            return None  # the health says so
        if video is None or not video.is_fresh or (file := await self._folder.find(video.sha256)) is None:
            return None
        return CentralVideo(file.as_uri(), video.title, video.type, video.size, video.sha256)

    async def find_video(self, video_id: str) -> CentralVideo:
        """See Library. At a file of this box if it is here; also while the central API is away, for as long as what it
        said last is fresh."""
        here = await self.kept_video(video_id)
        try:
            async with asyncio.timeout(None if here is None else ANSWER_S):
                video = await self._streams.find_video(video_id)
        except (StreamNotFoundError, MediaError, CentralRefusedError):
            await self._try(self._forget(video_id))
            raise
        except (CentralUnavailableError, TimeoutError) as error:
            if here is None:
                raise
            self._fetching.want(video_id)  # it asks again, with more patience, and finds the bytes there
            log.info(
                "video_lookup_skipped", video_id=video_id, reason=str(error) or f"No answer within {ANSWER_S:g} s."
            )
            return here
        if not self.limit:
            return video
        await self._try(self._known.confirm(video_id, video))
        file = await self._folder.find(video.sha256)
        return video if file is None else replace(video, url=file.as_uri())

    async def contents(self) -> CacheContents:
        """All of it. Raises StorageError."""
        videos, held = await self._known.all(), await self._folder.contents()
        found = tuple(
            CachedVideo(
                video.video_id,
                video.title,
                video.type,
                video.size,
                one.size,
                one.is_whole,
                video.played_at,
            )
            for video in reversed(list(videos.values()))
            if (one := held.get(video.sha256)) is not None
        )
        used = sum(one.size for one in held.values())
        problem = self._fetching.disk_problem or self._fetching.discarded or None
        return CacheContents(self.limit, used, self.hits, self.misses, problem, found)

    async def clear(self, video_id: str | None = None) -> int:
        """Remove this video, or all of them; how many there were. One that is on goes on. Raises StorageError."""
        there = [video.id for video in (await self.contents()).videos if video_id in (None, video.id)]
        for one in there:
            await self._forget(one)
        return len(there)

    async def _forget(self, video_id: str) -> None:
        """Remove what is known of a video, and its bytes unless another one has the same. Raises StorageError."""
        self._fetching.drop(video_id)
        video = (await self._known.all()).get(video_id)
        if video is None:
            return
        await self._known.forget(video_id)
        if all(other.sha256 != video.sha256 for other in (await self._known.all()).values()):
            await self._folder.remove(video.sha256)

    async def _try(self, work: Awaitable[None]) -> None:
        """Do it, and log why it failed: a start must not wait for a disk that can be written to."""
        try:
            await work
        except StorageError as error:
            log.warning("video_note_failed", reason=str(error))

    async def _follow(self, bus: EventBus) -> None:
        """Note each video that comes on, for as long as the agent runs."""
        while True:
            follower = bus.subscribe()
            try:
                while True:
                    await self._note(await follower.next())
            except SlowFollowerError:
                log.warning("video_note_failed", reason="The disk was too slow: some of what was played is missing.")
            finally:
                follower.close()

    async def _note(self, event: Event) -> None:
        if event.kind not in (EventKind.FIRST_FRAME, EventKind.SESSION_RESUMED):
            return
        for session in self._sessions():
            if session.session_id == event.session_id and session.video_id is not None:
                if event.kind is EventKind.FIRST_FRAME:
                    self.hits += session.cached
                    self.misses += not session.cached
                if not session.cached:
                    self._fetching.want(session.video_id)
                await self._try(self._known.played(session.video_id))
