"""The publishers, and their streams: the answers to MediaMTX."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from central.core.batch import Batcher
from central.core.db.engine import Database
from central.core.db.rounds import Apply, write_round
from central.core.errors import DatabaseUnavailableError, NotClaimedError, PublishRefusedError
from central.core.pages import Clock, utc_now
from central.core.secrets import digest
from central.core.types import ErrorCode
from central.media import repository
from central.media.claims import PublishRequest, Round
from central.media.repository import KeyRecord
from central.media.server import MediaServer, Publisher, kick_all
from central.media.settings import MediaMtxSettings
from central.media.tables import Claim
from central.streams import repository as streams
from central.streams.service import new_stream
from central.streams.tables import Stream
from central.streams.types import StreamEnd, StreamSource, StreamStatus

log = structlog.stdlib.get_logger(__name__)

_TRIES: Final = 5


class Publishing:
    """Lets publishers in, one for each key and for each path, and opens and ends their streams."""

    def __init__(
        self, database: Database, settings: MediaMtxSettings, server: MediaServer, *, now: Clock = utc_now
    ) -> None:
        self._database = database
        self._settings = settings
        self._server = server
        self._now = now
        self._asked: Batcher[PublishRequest, None] = Batcher("claims", self._admit)
        self.look_soon = asyncio.Event()
        """Set when a look at the media server tells something: somebody was let in, or was refused because of another
        who may be gone."""
        self._expected: dict[str, float] = {}
        """The time of the event loop, by path, until which a publisher that was let in may come on the air."""

    @property
    def key_in_path(self) -> bool:
        """Return True if the last part of a path may be the key."""
        return self._settings.key_in_path

    async def admit(self, request: PublishRequest) -> None:
        """Let the publisher in: the key and the path are its connection's, for the time of the lease until its stream
        is ready. Raises PublishRefusedError."""
        try:
            await self._asked.submit(request)
        except PublishRefusedError as error:
            if error.reason in (ErrorCode.KEY_IN_USE, ErrorCode.PATH_IN_USE):
                self.look_soon.set()
            raise
        if request.connection_id is not None and self._settings.api_url is not None:  # otherwise no reconciliation runs
            self._expected[request.path] = asyncio.get_running_loop().time() + self._settings.lease
            self.look_soon.set()

    def expects(self) -> bool:
        """Return True if a publisher was let in whose stream may start at any moment. Not every media server reports
        that."""
        now = asyncio.get_running_loop().time()
        self._expected = {path: until for path, until in self._expected.items() if now < until}
        return bool(self._expected)

    def came(self, path: str) -> None:
        """Note that a publisher is on at this path: nobody is expected there."""
        self._expected.pop(path, None)

    async def ready(self, path: str, *, connection_type: str, connection_id: str | None) -> Stream:
        """Put the stream of a path that can be viewed on. A second call changes nothing.

        Raises NotClaimedError when it is somebody's who was not let in.
        """
        publisher = Publisher(path, connection_id or "", connection_type)
        stream = await self.open(publisher)
        if stream is None:
            if self._settings.unclaimed == "kick" and publisher.connection_id:
                await kick_all(self._server, [publisher])
            raise NotClaimedError("The publisher on this path was not admitted here, or took longer than the lease.")
        return stream

    async def not_ready(self, path: str, *, connection_id: str | None) -> Stream | None:
        """Take in that a path cannot be viewed any more: its publisher is away, and its stream waits for it or ends.
        None when it was so already, or when the path is another publisher's by now, which a late call must not end."""
        mine = {"path": path} | ({"connection_id": connection_id} if connection_id else {})
        return await self._take_off(StreamEnd.UNPUBLISHED, claim=mine, stream=mine)

    async def lost(self, stream: Stream) -> Stream | None:
        """The same for a stream that the media server has not on any more."""
        mine = {"connection_id": stream.connection_id} if stream.connection_id else {}
        held = mine | {"path": stream.path} if mine and stream.path else {}
        return await self._take_off(StreamEnd.LOST, claim=held, stream={"id": stream.id} | mine)

    async def _take_off(
        self, reason: StreamEnd, *, claim: Mapping[str, str], stream: Mapping[str, str]
    ) -> Stream | None:
        """Take the publisher of that stream and claim, each found by its columns, off the air. Returns the stream as it
        is now."""

        async def work(session: AsyncSession) -> Sequence[Stream]:
            now = self._now()
            until = now + timedelta(seconds=self._settings.grace)
            key_id = await repository.key_of(session, **claim) if claim else None
            if key_id is not None:
                await repository.lock_keys(session, id=key_id)
                await repository.keep_path(session, key_id, **claim, until=until)
            if self._settings.grace:
                off = await streams.interrupt(session, reason=reason, now=now, until=until, **stream)
            else:
                off = await streams.end(session, reason=reason, now=now, **stream)
            if key_id is not None and not (off and off[0].interrupted_at):
                await repository.drop_claims(session, stream_key_id=key_id, connection_id=repository.NOBODY)
            return off

        off = await self._database.write(work)
        for each in off:
            event = "stream_interrupted" if each.interrupted_at else "stream_ended"
            log.info(event, stream_id=each.id, path=each.path, reason=reason)
        return off[0] if off else None

    async def release(self, claim: Claim) -> None:
        """Free the key of a useless claim, unless it has changed since it was read."""

        async def work(session: AsyncSession) -> None:
            await repository.lock_keys(session, id=claim.stream_key_id)
            await repository.drop_unchanged(session, claim)

        await self._database.write(work)

    async def open(self, publisher: Publisher) -> Stream | None:
        """The stream of the publisher, opened if need be; None when it was not let in."""
        stream = await self._database.write(lambda session: self._open(session, publisher))
        self.came(publisher.path)
        return stream

    async def _open(self, session: AsyncSession, publisher: Publisher) -> Stream | None:
        now, path = self._now(), publisher.path
        let_in = now
        key: KeyRecord | None = None
        if publisher.connection_id or not is_pulled(publisher.connection_type):
            mine = {"path": path} | ({"connection_id": publisher.connection_id} if publisher.connection_id else {})
            held = await repository.key_of(session, **mine)
            locked = await repository.key_records(session, ids=[held], limit=1, lock=True) if held else []
            if not locked:
                return None
            key = locked[0]
            # The claim may have changed hands, or been dropped, before its key was locked.
            claim = await repository.hold(session, key.key.id, **mine)
            if claim is None:
                return None
            await repository.used(session, key.key.id, now=now)
            let_in = claim.claimed_at
            publisher = Publisher(path, claim.connection_id, publisher.connection_type)
        key_id, connection_id = key.key.id if key else None, publisher.connection_id or None
        values: dict[str, Any] = {
            "path": path,
            "connection_id": connection_id,
            "connection_type": publisher.connection_type,
            "stream_key_id": key_id,
            "title": (key.key.title or key.broadcaster_name) if key else path[:200],
        }
        for _ in range(_TRIES):
            on = await streams.lock_active(session, path=path, stream_key_id=key_id)
            for stream in on:
                if stream.path == path and stream.interrupted_at is None and stream.connection_id == connection_id:
                    return stream
                if stream.path == path and stream.stream_key_id == key_id and self._waits(stream, let_in):
                    log.info("stream_resumed", stream_id=stream.id, path=path)
                    return await streams.resume(session, stream.id, connection_id, publisher.connection_type, now=now)
            for stream in on:
                # Its publisher has not come back here, or its end was lost: the media server has one publisher for a
                # path and for a key, and that is another one now.
                reason = StreamEnd(stream.end_reason or StreamEnd.LOST)
                await streams.end(session, reason=reason, now=now, id=stream.id)
            made = await streams.add(session, new_stream(StreamSource.PUBLISHER, now, **values))
            if made is not None:
                log.info("stream_started", stream_id=made.id, path=path, key_id=made.stream_key_id)
                return made
        raise DatabaseUnavailableError("No free join code was found. Try again.")

    def _waits(self, stream: Stream, let_in: datetime) -> bool:
        """Return True if the publisher, let in at `let_in`, may resume this stream. A publisher that is not known to
        have been away may: its not-ready was lost, or is late."""
        return self._settings.grace > 0 if stream.grace_until is None else let_in <= stream.grace_until

    async def may_read(self, path: str, code: str) -> bool:
        """Return True if this is the join code of the stream on this path."""
        async with self._database.read() as session:
            stream = await streams.active_of_code(session, code)
        return stream is not None and stream.path == path and stream.status == StreamStatus.ACTIVE

    async def _admit(self, requests: Sequence[PublishRequest]) -> list[BaseException | None]:
        """One unit of work for all: what stands against each is looked up, and what nothing stands against is claimed
        by a conditional upsert, so that between the look and the claim nothing can come."""
        now = self._now()
        hashes = [digest(request.key) for request in requests]
        paths = {request.path for request in requests}

        async def work(session: AsyncSession, apply: Apply) -> list[BaseException | None]:
            keys = {key.key_hash: key for key in await repository.lock_keys_of(session, set(hashes))}
            claims = await repository.lock_claims(session, key_ids=[key.id for key in keys.values()], paths=paths)
            round_ = Round(claims, now=now, lease_s=self._settings.lease)
            for request, key_hash in zip(requests, hashes, strict=True):
                round_.look_at(request, keys.get(key_hash))
            if round_.lapsed:
                await repository.drop_lapsed(session, round_.lapsed, now=now)
            if round_.rows:
                round_.got(await apply(lambda rows: repository.claim(session, rows, now=now), round_.rows))
            return round_.answers

        return await write_round(self._database, work)


def is_pulled(connection_type: str) -> bool:
    """Return True if MediaMTX pulls this source itself (`rtspSource`, `redirect`), so no publisher was let in."""
    return bool(connection_type) and not connection_type.endswith(("Session", "Conn"))
