"""A video of the library of the central API: at an address that is this box's own, and that runs out."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Final, Protocol

import structlog

from agent.casting.limits import KNOWN_S, Check
from agent.casting.session import Session
from agent.casting.source import Address
from agent.errors import CentralRefusedError, CentralUnavailableError
from agent.player.base import PlayerSource
from agent.types import SessionChange

PAUSE_S: Final = 5.0
"""The pause between two questions of a session that was there before a restart, while the central API does not
answer."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class CentralVideo:
    """A video of the library of the central API that can be played."""

    url: str = field(repr=False)
    """The address at which this box gets it: one that expires, and with which anybody gets it, or a file of this
    box."""
    title: str
    type: str
    """Its MIME type."""
    size: int
    """Bytes."""
    sha256: str
    """Of its bytes; hexadecimal, in lower case."""


class Library(Protocol):
    """A directory of the videos of the central API."""

    async def kept_video(self, video_id: str) -> CentralVideo | None:
        """The video at a file of this box, if it may be prepared before the central API has told about it."""

    async def find_video(self, video_id: str) -> CentralVideo:
        """The video, with the address at which this box gets it; within 2 s. Raises StreamNotFoundError,
        CentralUnavailableError, NotSupportedError when there is no central API, and MediaError when it cannot be
        played."""


class VideoSource(Address):
    """A Source: what it asks for before each attempt is valid for hours, and is neither shown nor written anywhere."""

    def __init__(
        self, session: Session, video_id: str, *, library: Library, players: PlayerSource, check: Check
    ) -> None:
        super().__init__()
        self._session = session
        self._video_id = video_id
        self._library = library
        self._players = players
        self._check = check
        self._url: str | None = None
        self._title: str | None = None
        """The title that the session got from here."""
        self._is_here = asyncio.Event()

    async def is_on(self) -> bool:
        """Return True once an address is known. A file of this box is one, and `follow` asks about it meanwhile. While
        the central API is away, a known address counts, but not once the central API refuses this box; a session that
        was there before a restart of the agent waits for one."""
        if self._url is None and (kept := await self._library.kept_video(self._video_id)) is not None:
            await self._take(kept)
            self._is_here.set()
            return True
        while self._url is None:
            try:
                await self._look_up()
                return True
            except CentralUnavailableError as error:
                if not self._session.has_played:
                    raise
                await asyncio.sleep(error.retry_after_s or PAUSE_S)
        await self._look_up_again()
        return True

    async def follow(self) -> None:
        """Ask the central API about a video that is prepared from a file of this box, and shown once there is an answer
        or has been none for KNOWN_S. Raises what forbids it."""
        await self._is_here.wait()
        await self._look_up_again()
        self._session.is_located.set()
        await super().follow()

    def choose(self) -> None:
        assert self._url is not None
        self._session.plays_at(self._url, shown_url=self._url.partition("?")[0])

    async def _look_up_again(self) -> None:
        """The same for an address that is known, which counts if there is no answer in time."""
        try:
            async with asyncio.timeout(KNOWN_S):
                await self._look_up()
        except CentralRefusedError:
            raise
        except (CentralUnavailableError, TimeoutError) as error:
            reason = str(error) or f"No answer within {KNOWN_S:g} s."
            log.info("video_lookup_skipped", session_id=self._session.id, reason=reason)

    async def _look_up(self) -> None:
        await self._take(await self._library.find_video(self._video_id))
        self._session.is_located.set()

    async def _take(self, video: CentralVideo) -> None:
        url = await self._check(video.url)
        self._players.check(url)
        self._url = url
        if self._session.request.title == self._title != video.title:
            self._title = video.title
            self._session.change(SessionChange(title=video.title))
