"""What is wanted on the screen, kept on disk, so that it comes back after a crash, a reboot or a power cut."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import structlog
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agent.files import write_whole
from agent.tracker import Saved, StreamTracker, Volume
from agent.types import Quality, SessionId, StartRequest

FILE = "wanted.json"
SET_ASIDE = "wanted.json.bad"

COALESCE_S = 0.2
"""A switch changes several things at once: one write for all of them."""

POSITION_EVERY_S = 30.0
"""Positions are written at most this often, so that an SD card lasts; a film loses at most as much after a crash."""

STABLE_AFTER_S = 30.0
"""A restore that got this far did not take the box down."""

RESTORES_ALLOWED = 3
"""In a row, without ever getting STABLE_AFTER_S far: then what is wanted is given up."""

READ_LIMIT = 256 * 1024
"""Bytes. Nine sessions with the longest URLs and titles need under 100 KiB; whatever is longer is not ours."""

CHECK_TIMEOUT_S = 2.0
"""For one file whose disk sleeps or whose share is gone; what was on is to be back within 5 s."""

CLOCK_LOOK_S = 2.0
CLOCK_JUMP_S = 5.0
"""A step of the wall clock against the monotonic one; what NTP slews stays far below."""

log = structlog.get_logger(__name__)


class _KeptVolume(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    level: float = Field(ge=0.0, le=1.0)
    muted: bool


class _KeptSession(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    session_id: str = Field(pattern=r"^[0-9a-f-]{36}$")
    url: str = Field(max_length=16_384)
    quality: Quality
    duration: float | None = Field(gt=0)
    title: str | None
    loop: bool
    interrupt: bool
    position: float = Field(ge=0)
    entry: int = Field(default=0, ge=0)
    """Of a playlist, counted from 0."""
    played: bool = True
    """Whether it had a first frame."""
    remaining: float | None = Field(ge=0)
    """Seconds of its duration that were left when this was written."""
    expires_at: float | None
    """The same as a moment of the wall clock, in seconds since 1970."""
    volume: _KeptVolume


class _Kept(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Literal[1] = 1
    written_at: float
    restores: int = Field(default=0, ge=0)
    """How often this was taken up without getting far."""
    volume: _KeptVolume
    sessions: tuple[_KeptSession, ...] = Field(max_length=16)


class Keeper:
    """Writes what the tracker wants whenever it changes, and gives it back after a restart.

    `check` is what a submitted URL must pass; it raises, and such a session is not restored.
    """

    def __init__(self, tracker: StreamTracker, *, folder: Path, restore: bool, check: Callable[[str], str]) -> None:
        self._tracker = tracker
        self._file = folder / FILE
        self._restore = restore
        self._check = check
        self._restores = 0
        self._dirty = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._failed = False
        self._written = ""
        self._puts = self._put_last = 0
        self._putting = threading.Lock()

    async def start(self) -> None:
        """Take up what was on, then keep what will be on. Never raises for what is on the disk."""
        kept = await asyncio.to_thread(self._read)
        if kept is not None:
            await self._take_up(kept)
        self._tasks.append(asyncio.create_task(self._keep(), name="keeper"))

    async def stop(self) -> None:
        """Write a last time what is on now. After this the tracker may end everything. Idempotent."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if tasks:
            self._restores = 0  # it was ended on purpose
            await self._write()

    def changed(self) -> None:
        """The tracker says that something is different now."""
        self._dirty.set()

    async def _take_up(self, kept: _Kept) -> None:
        volume = Volume(kept.volume.level, kept.volume.muted)
        wanted = [] if not self._restore else await self._still_wanted(kept)
        if wanted and kept.restores >= RESTORES_ALLOWED:
            log.error(
                "restore_given_up",
                tries=kept.restores,
                sessions=[s.session_id for s in wanted],
                hint="What was on took the agent down each time; start it again by hand if you trust it.",
            )
            wanted = []
        if wanted:
            self._restores = kept.restores + 1
            # Before it is tried: what takes the agent down must be counted.
            await self._try_put(kept.model_copy(update={"restores": self._restores}))
            self._tasks.append(asyncio.create_task(self._become_stable(), name="keeper-stable"))
            if any(s.expires_at is not None for s in kept.sessions):
                self._tasks.append(asyncio.create_task(self._watch_clock(kept, _clock_offset()), name="keeper-clock"))
        self._tracker.restore(wanted, volume)

    async def _still_wanted(self, kept: _Kept) -> list[Saved]:
        wanted = []
        for session in kept.sessions:
            remaining = _remaining(session, written_at=kept.written_at)
            if remaining is not None and remaining <= 0:
                log.info("session_expired_meanwhile", session_id=session.session_id)
                continue
            try:
                async with asyncio.timeout(CHECK_TIMEOUT_S):
                    url = await asyncio.to_thread(self._check, session.url)
            except Exception as e:  # the policy may have become stricter, or a file or its disk may be gone
                log.warning("session_not_restored", session_id=session.session_id, reason=str(e))
                continue
            wanted.append(
                Saved(
                    session_id=SessionId(session.session_id),
                    request=StartRequest(
                        url=url,
                        quality=session.quality,
                        duration=session.duration,
                        title=session.title,
                        volume=session.volume.level,
                        muted=session.volume.muted,
                        interrupt=session.interrupt,
                        loop=session.loop,
                    ),
                    position=session.position,
                    entry=session.entry,
                    played=session.played,
                    remaining=remaining,
                    volume=Volume(session.volume.level, session.volume.muted),
                )
            )
        return wanted

    async def _become_stable(self) -> None:
        await asyncio.sleep(STABLE_AFTER_S)
        self._restores = 0
        self._dirty.set()

    async def _watch_clock(self, kept: _Kept, offset: float) -> None:
        """A box without a clock of its own starts in the past, and is set right by the network some time later. Then
        the moment at which a session expires counts, not how long it had left when the power went."""
        while True:
            await asyncio.sleep(CLOCK_LOOK_S)
            now_offset = _clock_offset()
            if abs(now_offset - offset) < CLOCK_JUMP_S:
                continue
            log.warning("clock_jumped", by_s=round(now_offset - offset, 1))
            offset = now_offset
            for session in kept.sessions:
                if session.expires_at is not None and time.time() >= kept.written_at:
                    self._tracker.expire_in(SessionId(session.session_id), session.expires_at - time.time())

    async def _keep(self) -> None:
        while True:
            try:
                async with asyncio.timeout(POSITION_EVERY_S):
                    await self._dirty.wait()
            except TimeoutError:
                pass  # time for the positions
            else:
                await asyncio.sleep(COALESCE_S)
            self._dirty.clear()
            await self._write()

    async def _write(self) -> None:
        kept = self._now()
        state = kept.model_copy(update={"written_at": 0.0}).model_dump_json()
        if state == self._written:
            return  # nothing plays on, nothing has changed: spare the card
        if await self._try_put(kept):
            self._written = state

    async def _try_put(self, kept: _Kept) -> bool:
        self._puts += 1
        try:
            await asyncio.to_thread(self._put, kept, self._puts)
        except OSError as e:
            if not self._failed:
                log.warning("wanted_not_kept", file=str(self._file), reason=e.strerror)
            self._failed = True
            return False
        if self._failed:
            log.info("wanted_kept_again", file=str(self._file))
        self._failed = False
        return True

    def _now(self) -> _Kept:
        now = datetime.now(UTC).timestamp()
        return _Kept(
            written_at=now,
            restores=self._restores,
            volume=_volume(self._tracker.volume),
            sessions=tuple(
                _KeptSession(
                    session_id=saved.session_id,
                    url=saved.request.url,
                    quality=saved.request.quality,
                    duration=saved.request.duration,
                    title=saved.request.title,
                    loop=saved.request.loop,
                    interrupt=saved.request.interrupt,
                    position=saved.position,
                    entry=saved.entry,
                    played=saved.played,
                    remaining=saved.remaining,
                    expires_at=None if saved.remaining is None else now + saved.remaining,
                    volume=_volume(saved.volume),
                )
                for saved in self._tracker.saved()
            ),
        )

    def _put(self, kept: _Kept, number: int) -> None:
        with self._putting:  # a thread that nobody waits for any more must not undo a later write
            if number < self._put_last:
                return
            self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_whole(self._file, kept.model_dump_json() + "\n")
            self._put_last = number

    def _read(self) -> _Kept | None:
        try:
            with self._file.open("rb") as stream:
                content = stream.read(READ_LIMIT)
            return _Kept.model_validate_json(content)
        except FileNotFoundError:
            return None
        except (OSError, ValidationError) as e:
            aside = self._file.with_name(SET_ASIDE)
            log.warning("wanted_unreadable", file=str(self._file), set_aside_as=str(aside), reason=type(e).__name__)
            try:
                self._file.replace(aside)
            except OSError as error:
                log.warning("wanted_not_set_aside", reason=error.strerror)
            return None


def _clock_offset() -> float:
    return time.time() - time.monotonic()


def _volume(volume: Volume) -> _KeptVolume:
    return _KeptVolume(level=volume.level, muted=volume.muted)


def _remaining(session: _KeptSession, *, written_at: float) -> float | None:
    """Seconds that are left of its duration; by the wall clock, unless that stands before the last write: then it has
    not been set yet, and what was left at that write is the best there is."""
    if session.expires_at is None or session.remaining is None:
        return None
    now = time.time()
    return session.remaining if now < written_at else min(session.remaining, session.expires_at - now)
