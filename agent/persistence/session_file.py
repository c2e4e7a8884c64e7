"""The sessions to restore, as they are on the disk."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Annotated, Literal

import structlog
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agent.casting.saved import Saved, Volume
from agent.page_options import PageOptions
from agent.types import CentralStream, Quality, SessionId, ShownAs, StartRequest, StreamRef
from agent.util.files import remove_leftovers, write_whole

FILE = "wanted.json"
"""The newest. It is there whatever becomes of the agent; a power cut may lose or tear it."""
SAFE_FILE = "wanted.safe.json"
"""Some writes older at times, but on the disk: it is there after a power cut, too."""
SET_ASIDE = ".bad"

READ_LIMIT = 256 * 1024
"""Bytes. Nine sessions with the longest URLs and titles need under 100 KiB; whatever is longer is not ours."""

log = structlog.get_logger(__name__)


class KeptVolume(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    level: float = Field(ge=0.0, le=1.0)
    muted: bool

    @classmethod
    def of(cls, volume: Volume) -> KeptVolume:
        return cls(level=volume.level, muted=volume.muted)

    def volume(self) -> Volume:
        return Volume(self.level, self.muted)


class KeptStream(BaseModel):
    """A stream of the central API that was joined, or a video of its library."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    stream_id: str | None = Field(max_length=64)
    code: str | None = Field(max_length=64)
    video_id: str | None = Field(default=None, max_length=64)
    urls: tuple[Annotated[str, Field(max_length=4096)], ...] = Field(max_length=4)
    """None of them: it was not looked up yet."""
    title: str | None = Field(max_length=1000)
    is_published: bool

    @classmethod
    def of(cls, ref: StreamRef, known: CentralStream | None) -> KeptStream:
        if known is None:
            ids = {"stream_id": ref.stream_id, "code": ref.code, "video_id": ref.video_id}
            return cls(**ids, urls=(), title=None, is_published=False)
        return cls.model_validate(known, from_attributes=True)

    def ref(self) -> StreamRef:
        return StreamRef(self.code, self.stream_id, self.video_id)

    def known(self) -> CentralStream | None:
        if not self.urls or self.stream_id is None or self.code is None:
            return None
        return CentralStream(self.stream_id, self.code, self.urls, self.title, self.is_published)


class KeptSession(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    session_id: str = Field(pattern=r"^[0-9a-f-]{36}$")
    url: str = Field(max_length=16_384)
    """Empty for one that has joined a stream."""
    joined: KeptStream | None = None
    quality: Quality
    duration: float | None = Field(gt=0)
    title: str | None
    loop: bool
    refresh: float | None = Field(default=None, gt=0)
    shown_as: ShownAs | None = None
    page: PageOptions | None = None
    interrupt: bool
    position: float = Field(ge=0)
    entry: int = Field(default=0, ge=0)
    """The entry of the playlist, from 0."""
    played: bool = True
    """True if the session had a first frame."""
    paused: bool = False
    remaining: float | None = Field(ge=0)
    """Seconds of its duration that were left when this was written."""
    expires_at: float | None
    """The same as a moment of the wall clock, in seconds since 1970; None when that was not set."""
    volume: KeptVolume
    shown_s: float = Field(default=0.0, ge=0)
    """The seconds of a library video that were shown."""
    completed: bool = False
    """True if the end of that video was reached."""

    @classmethod
    def of(cls, saved: Saved, *, now: float | None) -> KeptSession:
        """`now` is what the wall clock says; None when it is not set."""
        request = saved.request
        return cls(
            session_id=saved.session_id,
            url=request.url,
            joined=None if request.join is None else KeptStream.of(request.join, saved.joined),
            quality=request.quality,
            duration=request.duration,
            title=request.title,
            loop=request.loop,
            refresh=request.refresh,
            shown_as=request.shown_as,
            page=request.page,
            interrupt=request.interrupt,
            position=saved.position,
            entry=saved.entry,
            played=saved.played,
            paused=saved.paused,
            remaining=saved.remaining,
            expires_at=None if saved.remaining is None or now is None else now + saved.remaining,
            volume=KeptVolume.of(saved.volume),
            shown_s=saved.shown_s,
            completed=saved.completed,
        )

    def saved(self, *, now: float | None) -> Saved:
        """`now` is what the wall clock says; None when it is not set."""
        return Saved(
            session_id=SessionId(self.session_id),
            request=StartRequest(
                url=self.url,
                join=None if self.joined is None else self.joined.ref(),
                quality=self.quality,
                duration=self.duration,
                title=self.title,
                volume=self.volume.level,
                muted=self.volume.muted,
                interrupt=self.interrupt,
                loop=self.loop,
                refresh=self.refresh,
                shown_as=self.shown_as,
                page=self.page,
            ),
            position=self.position,
            entry=self.entry,
            played=self.played,
            paused=self.paused,
            remaining=self.left(now),
            volume=self.volume.volume(),
            joined=None if self.joined is None else self.joined.known(),
            shown_s=self.shown_s,
            completed=self.completed,
        )

    def left(self, now: float | None) -> float | None:
        """Seconds of its duration that are left, at most; below 0 when it is over; None when it has none. By the wall
        clock, unless that is not set or was not: then what was left at the last write is the best there is."""
        if self.remaining is None or self.expires_at is None or now is None:
            return self.remaining
        return min(self.remaining, self.expires_at - now)


class Kept(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Literal[1] = 1
    number: int = Field(default=0, ge=0)
    """The number of this write, counted over all lives of the agent, because its clock may be set back."""
    written_at: float
    restores: int = Field(default=0, ge=0)
    """The number of times that this file was restored without the agent getting far."""
    volume: KeptVolume
    screen_off: bool = False
    """The screen is to be off while nothing is shown."""
    sessions: tuple[KeptSession, ...] = Field(max_length=16)


class WantedFile:
    """One file that is written again and again. Everything here blocks for the disk."""

    def __init__(self, file: Path, *, durable: bool) -> None:
        self._file = file
        self._durable = durable
        self._last = -1
        self._writing = threading.Lock()

    @property
    def name(self) -> str:
        return str(self._file)

    def write(self, kept: Kept) -> None:
        """Write the sessions. Raises OSError. Writes are serialized; an outdated one changes nothing."""
        with self._writing:
            if kept.number > self._last:
                self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                write_whole(self._file, kept.model_dump_json() + "\n", durable=self._durable)
                self._last = kept.number

    def read(self) -> Kept | None:
        """None where there is nothing; what cannot be understood is set aside."""
        remove_leftovers(self._file)
        try:
            with self._file.open("rb") as stream:
                return Kept.model_validate_json(stream.read(READ_LIMIT))
        except FileNotFoundError:
            return None
        except (OSError, ValidationError) as e:
            set_aside(self._file, e)
            return None


def set_aside(file: Path, reason: Exception) -> None:
    """Rename a file that cannot be understood, so that a person may look at it. Blocks for the disk."""
    aside = file.with_name(file.name + SET_ASIDE)
    log.warning("state_file_rejected", file=str(file), set_aside_as=str(aside), reason=type(reason).__name__)
    try:
        file.replace(aside)
    except OSError as error:
        log.warning("state_file_set_aside_failed", reason=error.strerror)


class WantedFiles:
    """Both files of one folder."""

    def __init__(self, folder: Path) -> None:
        self.newest = WantedFile(folder / FILE, durable=False)
        self.safe = WantedFile(folder / SAFE_FILE, durable=True)

    def read(self) -> Kept | None:
        """The later one of those that can be understood. Blocks for the disk."""
        found = [kept for file in (self.newest, self.safe) if (kept := file.read())]
        return max(found, key=lambda kept: kept.number, default=None)
