"""Streams, whoever makes them: what is or was on."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from central.core.access.service import reach
from central.core.batch import Batcher
from central.core.db.engine import Database
from central.core.errors import StreamEndedError, StreamNotFoundError
from central.core.ids import is_id, new_id
from central.core.limits import MISSES_BEHIND_ONE_ADDRESS, MissLimit
from central.core.pages import Clock, Page, id_behind, page_of, utc_now
from central.core.secrets import as_code, new_code
from central.core.types import Caller, Role
from central.streams import repository
from central.streams.models import PublisherName
from central.streams.publishers import Publishers
from central.streams.repository import By
from central.streams.tables import Stream
from central.streams.types import StreamEnd, StreamSource, StreamStatus
from central.streams.urls import PlayUrls


class Streams:
    """The repository. Methods with a `caller` raise ForbiddenError when it may not do that."""

    def __init__(self, database: Database, publishers: Publishers, urls: PlayUrls, *, now: Clock = utc_now) -> None:
        self._database = database
        self._publishers = publishers
        self.urls = urls
        self._now = now
        self._misses = MissLimit(whose="this device")
        self.misses_behind = MissLimit(misses=MISSES_BEHIND_ONE_ADDRESS)
        self._asked: Batcher[tuple[By, str], Stream | None] = Batcher("streams", self._look_up)

    async def page(
        self,
        caller: Caller,
        *,
        status: StreamStatus | None,
        source: StreamSource | None,
        device_id: str | None,
        cursor: str | None,
        limit: int,
    ) -> Page[Stream]:
        """The newest first. A box sees its own."""
        if not caller.is_admin:
            device_id = caller.id if device_id is None else device_id
            reach(caller, device_id)
        position = id_behind(cursor)
        if status is StreamStatus.ACTIVE and device_id is not None:
            # One at most, so that many can be looked up together.
            one = await self._asked.submit((By.DEVICE, device_id))
            fits = one is not None and source in (None, one.source) and (position is None or one.id < position)
            return Page([one] if one is not None and fits else [])
        async with self._database.read() as session:
            found = await repository.page(
                session,
                status=status,
                source=source,
                device_id=device_id,
                after=position,
                limit=limit + 1,
            )
        return page_of(found, limit, lambda stream: stream.id)

    async def find(self, caller: Caller, reference: str, *, address: str) -> Stream:
        """The stream with this id, or the active stream with this join code.

        Raises StreamNotFoundError, or TooManyRequestsError if this box, or all boxes behind its address, have guessed
        wrong too often. A box finds its own streams and every active one.
        """
        if is_id(reference.lower()):
            stream = await self._asked.submit((By.ID, reference.lower()))
            if stream is not None and (caller.is_admin or _is_for(caller, stream)):
                return stream
        elif (code := as_code(reference)) is not None:
            if not caller.is_admin:  # they may list all that is on
                self._misses.check(caller.id)
                self.misses_behind.check(address)
            stream = await self._asked.submit((By.CODE, code))
            if stream is not None:
                return stream
            if not caller.is_admin:
                self._misses.missed(caller.id)
                self.misses_behind.missed(address)
            raise StreamNotFoundError("No stream with this code is on. Check the code; it may also have ended.")
        raise StreamNotFoundError("There is no stream with this id.")

    async def broadcaster(self, stream: Stream) -> PublisherName | None:
        """The broadcaster whose key publishes the stream; None without a key, or if the broadcaster no longer
        exists."""
        if stream.stream_key_id is None:
            return None
        async with self._database.read() as session:
            return await self._publishers.of_key(session, stream.stream_key_id)

    def duration_s(self, stream: Stream) -> float:
        """Seconds from its start to its end, its interruption, or now."""
        until = stream.ended_at or stream.interrupted_at or self._now()
        return max(0.0, (until - stream.started_at).total_seconds())

    async def change(self, caller: Caller, stream_id: str, values: dict[str, Any]) -> Stream:
        """Title, url and the like of a stream that is on. Raises StreamNotFoundError or StreamEndedError."""

        async def work(session: AsyncSession) -> Stream | None:
            stream = await self._of(session, caller, stream_id)
            changed = values | {"updated_at": self._now()}
            return await repository.change(session, stream_id, changed) if values else stream

        changed = await self._database.write(work)
        if changed is None or changed.status == StreamStatus.ENDED:
            raise StreamEndedError("This stream has ended, so nothing of it can be changed. Start a new one.")
        return changed

    async def stop(self, caller: Caller, stream_id: str) -> Stream:
        """End a stream, and disconnect its publisher. A stream that has ended stays as it is. Raises
        StreamNotFoundError."""

        async def work(session: AsyncSession) -> tuple[Stream, bool]:
            stream = await self._of(session, caller, stream_id)
            await self._publishers.let_go(session, stream)
            ended = await repository.end(session, reason=StreamEnd.STOPPED, now=self._now(), id=stream_id)
            return (ended[0], True) if ended else (stream, False)

        stream, ended = await self._database.write(work)
        if ended:
            await self._publishers.kick(stream)
        return stream

    async def count_active(self) -> dict[str, int]:
        """The number of active streams, by source."""
        async with self._database.read() as session:
            return await repository.count_active(session)

    async def _look_up(self, asked: Sequence[tuple[By, str]]) -> Sequence[Stream | None]:
        found: dict[By, dict[str, Stream]] = {}
        async with self._database.read() as session:
            for by in {by for by, _ in asked}:
                found[by] = await repository.of_many(session, by, {value for each, value in asked if each is by})
        return [found[by].get(value) for by, value in asked]

    async def _of(self, session: AsyncSession, caller: Caller, stream_id: str) -> Stream:
        stream = await repository.by_id(session, stream_id) if is_id(stream_id) else None
        if stream is None:
            raise StreamNotFoundError("There is no stream with this id.")
        if not caller.is_admin:
            reach(caller, stream.device_id)
        return stream


def _is_for(caller: Caller, stream: Stream) -> bool:
    if caller.role is not Role.DEVICE:
        return False
    return stream.device_id == caller.id or stream.status == StreamStatus.ACTIVE


def new_stream(source: StreamSource, now: datetime, **given: Any) -> dict[str, Any]:
    """The columns of a stream that begins now, with a new id and code."""
    return {
        "id": new_id(),
        "code": new_code(),
        "source": source,
        "started_at": now,
        "updated_at": now,
        "meta": {},
        **given,
    }
