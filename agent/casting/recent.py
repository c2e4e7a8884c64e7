"""The recently played addresses, to be played again with their credentials, and shown without them."""

from __future__ import annotations

import asyncio
import secrets
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, Protocol

import structlog

from agent.casting.entries import Entries
from agent.casting.forms import PlayForm
from agent.casting.wish import SPOKEN, Wish
from agent.errors import InvalidRequestError, PresetNotFoundError, StorageError
from agent.events.bus import Emit, Event, EventBus, nobody
from agent.page_options import PageOptions
from agent.types import SessionId, ShownAs, StartRequest
from cast_wire.kinds import EventKind

RECENT_LIMIT: Final = 50
"""Addresses; the one that was played longest ago goes first."""

log = structlog.get_logger(__name__)


class Session(Protocol):
    """A session that is on or waits."""

    @property
    def session_id(self) -> SessionId: ...

    @property
    def request(self) -> StartRequest: ...


@dataclass(frozen=True, slots=True)
class Played:
    """One address, as it was played last."""

    id: str
    """Stays the same for an address, and tells nothing of it."""
    url: str = field(repr=False)
    """The address with its credentials."""
    title: str | None
    refresh: float | None
    played_at: str
    """RFC 3339, in UTC."""
    shown_as: ShownAs | None = None
    page: PageOptions | None = None

    def entry(self) -> dict[str, Any]:
        """The entry in the form that is stored."""
        return asdict(self) | {"page": self.page.given() if self.page else None}

    def wish(self) -> Wish:
        """The wish that plays an entry again."""
        return Wish(url=self.url, title=self.title, refresh=self.refresh, shown_as=self.shown_as, page=self.page)


class Recent:
    """The last RECENT_LIMIT addresses that got to the screen or the loudspeaker, the newest first. None are kept while
    `enabled` says so."""

    def __init__(self, file: Entries, *, enabled: Callable[[], bool] = lambda: True, emit: Emit = nobody) -> None:
        self._file = file
        self._enabled = enabled
        self._emit = emit
        self._played: tuple[Played, ...] | None = None
        """None until the file is read."""
        self._changing = asyncio.Lock()
        self._heard: deque[StartRequest] = deque(maxlen=RECENT_LIMIT)
        """What is to be recorded: no more than is kept."""
        self._more = asyncio.Event()
        self._failed = False
        """The log tells it once."""

    async def all(self) -> tuple[Played, ...]:
        """All entries. Raises StorageError."""
        return await self._read() if self._enabled() else ()

    async def wish(self, id_: str) -> Wish:
        """The address with this id. Raises PresetNotFoundError, StorageError."""
        for played in await self.all():
            if played.id == id_:
                return played.wish()
        hint = "" if self._enabled() else " Nothing is kept: recent = false under [stream]."
        raise PresetNotFoundError(f"Nothing that was played lately has this id: see GET /recent.{hint}")

    async def clear(self) -> None:
        """Forget all of them, on the disk, too. Raises StorageError."""
        async with self._changing:
            await self._write(())

    async def note(self, request: StartRequest) -> None:
        """Record the address of a stream that reached the screen. Raises StorageError."""
        if not request.url or not self._enabled():
            return
        async with self._changing:
            before = await self._read()
            id_ = next((one.id for one in before if one.url == request.url), secrets.token_hex(8))
            now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
            played = Played(id_, request.url, request.title, request.refresh, now, request.shown_as, request.page)
            await self._write((played, *(one for one in before if one.id != id_))[:RECENT_LIMIT])

    async def look(self) -> None:
        """Forget all of them if none are to be kept any more."""
        if not self._enabled():
            await self._tried(self._forget())

    def listen(self, bus: EventBus, sessions: Callable[[], Sequence[Session]]) -> None:
        """Hear of every stream that gets to the screen, for `follow`. At once: it may have been replaced when the disk
        has the one before."""

        def heard(event: Event) -> None:
            if event.kind is EventKind.FIRST_FRAME:
                self._heard.extend(one.request for one in sessions() if one.session_id == event.session_id)
                self._more.set()

        bus.listen(heard)

    async def follow(self) -> None:
        """Record what is heard of, for as long as the agent runs."""
        await self.look()
        while True:
            await self._more.wait()
            self._more.clear()
            while self._heard:
                await self._tried(self.note(self._heard.popleft()))

    async def _forget(self) -> None:
        if await self._read():
            await self.clear()

    async def _tried(self, work: Awaitable[None]) -> None:
        """Do it, and log why it failed: nobody waits for it."""
        try:
            await work
        except StorageError as error:
            if not self._failed:
                log.warning("recent_write_failed", reason=str(error))
            self._failed = True
        else:
            self._failed = False

    async def _read(self) -> tuple[Played, ...]:
        if self._played is None:
            entries = await self._file.read()
            if self._played is None:  # another call may have read, and changed, them meanwhile
                self._played = tuple(filter(None, map(_played, entries)))[:RECENT_LIMIT]
        return self._played

    async def _write(self, played: tuple[Played, ...]) -> None:
        # Also while the disk takes nothing: they are there until the next restart then.
        self._played = played
        self._emit(EventKind.RECENT_CHANGED)
        await self._file.write([one.entry() for one in played])


def _played(entry: Mapping[str, Any]) -> Played | None:
    """The stored entry; None if it is invalid."""
    id_, at = entry.get("id"), entry.get("played_at")
    try:
        form = PlayForm.parse(
            {SPOKEN.get(name, name): entry.get(name) for name in ("url", "title", "refresh", "shown_as", "page")}
        )
        has_zone = isinstance(at, str) and datetime.fromisoformat(at).tzinfo is not None
    except (InvalidRequestError, ValueError):
        return None
    if form.url is None or not isinstance(id_, str) or not isinstance(at, str) or not has_zone:
        return None
    return Played(id_, form.url, form.title, form.refresh, at, form.shown_as, form.wish().page)
