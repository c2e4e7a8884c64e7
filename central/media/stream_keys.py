"""Broadcasters and their stream keys."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from central.core.db.engine import Database
from central.core.errors import BroadcasterNotFoundError, InvalidRequestError, NameInUseError, StreamKeyNotFoundError
from central.core.ids import new_id
from central.core.pages import Clock, Page, id_behind, page_of, utc_now
from central.core.secrets import TokenKind, digest, new_token
from central.media import repository
from central.media.repository import KeyRecord
from central.media.server import MediaServer, Publisher, kick_all
from central.media.tables import Broadcaster, StreamKey
from central.media.types import KeyStatus
from central.streams import repository as streams
from central.streams.types import StreamEnd


class StreamKeys:
    """Makes, lists and revokes them."""

    def __init__(self, database: Database, server: MediaServer, *, now: Clock = utc_now) -> None:
        self._database = database
        self._server = server
        self._now = now

    async def add_broadcaster(self, name: str, metadata: dict[str, Any]) -> Broadcaster:
        """Add a broadcaster. Raises NameInUseError."""
        now = self._now()
        made = Broadcaster(id=new_id(), name=name, created_at=now, updated_at=now, meta=metadata)
        try:
            await self._database.add(made)
        except IntegrityError as error:
            raise _name_in_use(name) from error
        return made

    async def broadcaster_named(self, name: str) -> str:
        """The id of the broadcaster of this name, which is added if there is none."""
        new = {"id": new_id(), "name": name, "created_at": self._now(), "updated_at": self._now(), "meta": {}}
        return await self._database.write(lambda session: repository.add_or_find_broadcaster(session, new))

    async def broadcasters(self, *, cursor: str | None, limit: int) -> Page[Broadcaster]:
        """The newest first."""
        async with self._database.read() as session:
            found = await repository.broadcasters(session, after=id_behind(cursor), limit=limit + 1)
        return page_of(found, limit, lambda broadcaster: broadcaster.id)

    async def broadcaster(self, broadcaster_id: str) -> Broadcaster:
        """The broadcaster with this id. Raises BroadcasterNotFoundError."""
        async with self._database.read() as session:
            found = await session.get(Broadcaster, broadcaster_id)
        if found is None:
            raise _no_broadcaster()
        return found

    async def change_broadcaster(self, broadcaster_id: str, values: dict[str, Any]) -> Broadcaster:
        """Change the columns of a broadcaster. Raises BroadcasterNotFoundError or NameInUseError."""
        if not values:
            return await self.broadcaster(broadcaster_id)
        try:
            changed = await self._database.write(
                lambda session: repository.change_broadcaster(
                    session, broadcaster_id, values | {"updated_at": self._now()}
                )
            )
        except IntegrityError as error:
            raise _name_in_use(str(values.get("name"))) from error
        if changed is None:
            raise _no_broadcaster()
        return changed

    async def delete_broadcaster(self, broadcaster_id: str) -> None:
        """Delete a broadcaster with its keys: their streams end, and their publishers are disconnected. Raises
        BroadcasterNotFoundError."""

        async def work(session: AsyncSession) -> list[Publisher]:
            if not await repository.lock_broadcaster(session, broadcaster_id):
                raise _no_broadcaster()
            kicked = await self._off_air(session, await repository.lock_keys(session, broadcaster_id=broadcaster_id))
            await repository.delete_broadcaster(session, broadcaster_id)
            return kicked

        await kick_all(self._server, await self._database.write(work))

    async def add(
        self, broadcaster_id: str, *, name: str | None, path: str | None, expires_at: datetime | None, **columns: Any
    ) -> tuple[KeyRecord, str]:
        """A new key, told this once. `columns` are those that a live stream has beside these.

        Raises BroadcasterNotFoundError, or InvalidRequestError when it has run out before it begins.
        """
        now, token = self._now(), new_token(TokenKind.STREAM_KEY)
        if expires_at is not None and expires_at <= now:
            raise InvalidRequestError.of("expires_at", "must be in the future")
        fixed: dict[str, Any] = {
            "id": new_id(),
            "broadcaster_id": broadcaster_id,
            "name": name or "stream key",
            "key_hash": digest(token),
            "path": path,
            "created_at": now,
            "updated_at": now,
            "expires_at": expires_at,
        }
        key = StreamKey(**(fixed | columns))
        try:
            await self._database.add(key)
        except IntegrityError as error:  # the foreign key
            raise _no_broadcaster() from error
        return await self.get(key.id), token

    async def page(self, *, broadcaster_id: str | None, cursor: str | None, limit: int) -> Page[KeyRecord]:
        """The newest first."""
        async with self._database.read() as session:
            found = await repository.key_records(
                session, broadcaster_id=broadcaster_id, after=id_behind(cursor), limit=limit + 1
            )
        return page_of(found, limit, lambda record: record.key.id)

    async def get(self, key_id: str) -> KeyRecord:
        """The key with this id. Raises StreamKeyNotFoundError."""
        async with self._database.read() as session:
            found = await repository.key_records(session, ids=[key_id], limit=1)
        if not found:
            raise StreamKeyNotFoundError("There is no stream key with this id.")
        return found[0]

    async def revoke(self, key_id: str) -> KeyRecord:
        """Revoke a key: it lets nobody in any more, its stream ends, and its publisher is kicked. A second call changes
        nothing.

        Raises StreamKeyNotFoundError.
        """

        async def work(session: AsyncSession) -> list[Publisher]:
            return await self._off_air(session, await repository.lock_keys(session, id=key_id))

        await kick_all(self._server, await self._database.write(work))
        return await self.get(key_id)

    def status(self, key: StreamKey) -> KeyStatus:
        if key.revoked_at is not None:
            return KeyStatus.REVOKED
        expired = key.expires_at is not None and key.expires_at <= self._now()
        return KeyStatus.EXPIRED if expired else KeyStatus.ACTIVE

    def in_use(self, record: KeyRecord) -> bool:
        """Return True if a connection holds the key."""
        claim = record.claim
        if claim is None or claim.connection_id == repository.NOBODY:
            return False
        return claim.leased_until is None or claim.leased_until > self._now()

    async def _off_air(self, session: AsyncSession, locked: Sequence[str]) -> list[Publisher]:
        """Revoke these keys, end their streams and free their claims. Returns the publishers to disconnect."""
        key_ids = await repository.revoke_keys(session, locked, now=self._now())
        if not key_ids:
            return []
        claims = await repository.drop_claims(session, stream_key_id=key_ids)
        ended = await streams.end(session, reason=StreamEnd.KEY_REVOKED, now=self._now(), stream_key_id=key_ids)
        types = {stream.connection_id: stream.connection_type for stream in ended}
        return [
            Publisher(claim.path, claim.connection_id, types.get(claim.connection_id) or claim.protocol)
            for claim in claims
            if claim.connection_id != repository.NOBODY
        ]


def _name_in_use(name: str) -> NameInUseError:
    return NameInUseError(f"There is a broadcaster {name!r} already. Choose another name.")


def _no_broadcaster() -> BroadcasterNotFoundError:
    return BroadcasterNotFoundError("There is no broadcaster with this id.")
