"""SQL for broadcasters, their stream keys, and which connection holds a key."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, case, delete, null, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from central.core.db.among import among, texts
from central.core.db.engine import insert_into, insert_rows_into
from central.media.tables import Broadcaster, Claim, StreamKey
from central.streams.tables import Stream
from central.streams.types import StreamStatus

NOBODY: Final = ""
"""The connection of a claim whose publisher is away: its path is kept for its key until the lease is over."""


async def broadcasters(session: AsyncSession, *, after: str | None, limit: int) -> Sequence[Broadcaster]:
    """The newest first."""
    query = select(Broadcaster).order_by(Broadcaster.id.desc()).limit(limit)
    if after is not None:
        query = query.where(Broadcaster.id < after)
    return (await session.scalars(query)).all()


async def add_or_find_broadcaster(session: AsyncSession, values: dict[str, Any]) -> str:
    """The id of the broadcaster with the name in `values`, who is added with these if there is none."""
    await session.execute(insert_into(session, Broadcaster).values(values).on_conflict_do_nothing())
    return (await session.scalars(select(Broadcaster.id).where(Broadcaster.name == values["name"]))).one()


async def broadcaster_of(session: AsyncSession, key_id: str) -> Broadcaster | None:
    """The broadcaster to whom this key belongs."""
    query = (
        select(Broadcaster).join(StreamKey, StreamKey.broadcaster_id == Broadcaster.id).where(StreamKey.id == key_id)
    )
    return (await session.scalars(query)).one_or_none()


async def change_broadcaster(session: AsyncSession, broadcaster_id: str, values: dict[str, Any]) -> Broadcaster | None:
    """Change a broadcaster. Raises IntegrityError if another one has the name."""
    statement = update(Broadcaster).where(Broadcaster.id == broadcaster_id).values(values)
    return (await session.scalars(statement.returning(Broadcaster))).one_or_none()


async def delete_broadcaster(session: AsyncSession, broadcaster_id: str) -> bool:
    """Delete a broadcaster with its stream keys and their claims. Return False if there is none with this id."""
    statement = delete(Broadcaster).where(Broadcaster.id == broadcaster_id).returning(Broadcaster.id)
    return (await session.execute(statement)).first() is not None


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """A stream key, its broadcaster, its claim, and its active stream."""

    key: StreamKey
    broadcaster_name: str
    claim: Claim | None
    stream_id: str | None


async def key_records(
    session: AsyncSession,
    *,
    ids: Collection[str] | None = None,
    broadcaster_id: str | None = None,
    after: str | None = None,
    limit: int,
    lock: bool = False,
) -> Sequence[KeyRecord]:
    """The newest first. With `lock` nobody else can revoke or claim them until the end of the unit of work; they come
    in the order in which keys are locked. What is told of claims and streams may be older than the lock."""
    query = (
        select(StreamKey, Broadcaster.name, Claim, Stream.id)
        .join(Broadcaster, Broadcaster.id == StreamKey.broadcaster_id)
        .outerjoin(Claim, Claim.stream_key_id == StreamKey.id)
        .outerjoin(Stream, and_(Stream.stream_key_id == StreamKey.id, Stream.status == StreamStatus.ACTIVE))
        .order_by(StreamKey.id if lock else StreamKey.id.desc())
        .limit(limit)
    )
    if ids is not None:
        query = query.where(StreamKey.id.in_(ids))
    if broadcaster_id is not None:
        query = query.where(StreamKey.broadcaster_id == broadcaster_id)
    if after is not None:
        query = query.where(StreamKey.id < after)
    if lock:
        query = query.with_for_update(of=StreamKey)
    return [KeyRecord(*row) for row in await session.execute(query)]


@dataclass(frozen=True, slots=True)
class KeyState:
    """The facts that decide whether a stream key grants access."""

    id: str
    key_hash: str
    path: str | None
    expires_at: datetime | None
    revoked_at: datetime | None


_KEYS_OF: Final = (
    select(StreamKey.id, StreamKey.key_hash, StreamKey.path, StreamKey.expires_at, StreamKey.revoked_at)
    .where(among(StreamKey.key_hash, texts("hashes")))
    .order_by(StreamKey.id)
    .with_for_update()
)


async def lock_keys_of(session: AsyncSession, hashes: Collection[str]) -> Sequence[KeyState]:
    """The keys of these hashes, which nobody else can revoke or claim until the end of the unit of work."""
    return [KeyState(*row) for row in await session.execute(_KEYS_OF, {"hashes": hashes})]


async def lock_broadcaster(session: AsyncSession, broadcaster_id: str) -> bool:
    """Lock a broadcaster, so that no key is made for it until the end of the unit of work. Return False if there is
    none with this id."""
    query = select(Broadcaster.id).where(Broadcaster.id == broadcaster_id).with_for_update()
    return await session.scalar(query) is not None


async def lock_keys(session: AsyncSession, **which: str) -> Sequence[str]:
    """The ids of the keys of which the column of the given name has that value: whoever changes what hangs on a key
    (its claim, its stream) locks it first, and several in the order of their ids."""
    query = select(StreamKey.id).order_by(StreamKey.id).with_for_update()
    for name, wanted in which.items():
        query = query.where(getattr(StreamKey, name) == wanted)
    return (await session.scalars(query)).all()


async def revoke_keys(session: AsyncSession, ids: Collection[str], *, now: datetime) -> Sequence[str]:
    """Revoke these keys, which are locked. Returns the ids of those that were not revoked before."""
    statement = update(StreamKey).where(StreamKey.id.in_(ids), StreamKey.revoked_at.is_(None))
    statement = statement.values(revoked_at=now, updated_at=now)
    return (await session.scalars(statement.returning(StreamKey.id))).all()


async def used(session: AsyncSession, key_id: str, *, now: datetime) -> None:
    """Record that a publisher with this key is on the air."""
    statement = update(StreamKey).where(StreamKey.id == key_id).values(last_used=now)
    await session.execute(statement.execution_options(synchronize_session=False))


async def claim(session: AsyncSession, rows: Sequence[dict[str, Any]], *, now: datetime) -> list[bool]:
    """Give each key to its connection, unless another holds it; for each row whether its key was given.

    No two rows may be of one key. Raises IntegrityError when a path is another key's.
    """
    statement = insert_rows_into(session, Claim)
    given = statement.excluded
    same = and_(Claim.connection_id == given.connection_id, Claim.path == given.path)
    values: dict[str, Any] = {name: given[name] for name in ("connection_id", "path", "protocol", "claimed_at")}
    # A publisher that is on the air and asks again keeps the key without a lease.
    values["leased_until"] = case((and_(same, Claim.leased_until.is_(None)), null()), else_=given.leased_until)
    upsert = statement.on_conflict_do_update(
        index_elements=["stream_key_id"],
        set_=values,
        where=or_(Claim.leased_until < now, same, Claim.connection_id == NOBODY),
    )
    # Rows beside the statement, not in it: so it is compiled once, however many they are.
    given_keys = {row.stream_key_id for row in await session.execute(upsert.returning(Claim.stream_key_id), rows)}
    return [row["stream_key_id"] in given_keys for row in rows]


@dataclass(frozen=True, slots=True)
class Holder:
    """The connection that holds a key and a path, and the end of its hold."""

    stream_key_id: str
    connection_id: str
    path: str
    leased_until: datetime | None


_CLAIMS_OF: Final = (
    select(Claim.stream_key_id, Claim.connection_id, Claim.path, Claim.leased_until)
    .where(or_(among(Claim.stream_key_id, texts("key_ids")), among(Claim.path, texts("paths"))))
    .order_by(Claim.path)
    .with_for_update()
)


async def lock_claims(session: AsyncSession, *, key_ids: Collection[str], paths: Collection[str]) -> Sequence[Holder]:
    """The claims of these keys and those of these paths, locked in the order of the paths."""
    return [Holder(*row) for row in await session.execute(_CLAIMS_OF, {"key_ids": key_ids, "paths": paths})]


async def key_of(session: AsyncSession, path: str, connection_id: str | None = None) -> str | None:
    """The id of the key with which that path is held (by that connection, when it is known)."""
    query = select(Claim.stream_key_id).where(Claim.path == path, Claim.connection_id != NOBODY)
    if connection_id is not None:
        query = query.where(Claim.connection_id == connection_id)
    return await session.scalar(query)


async def claims(session: AsyncSession) -> Sequence[Claim]:
    return (await session.scalars(select(Claim))).all()


async def drop_lapsed(session: AsyncSession, paths: Collection[str], *, now: datetime) -> None:
    """Claims of these paths whose lease is over: others may have the path."""
    await session.execute(delete(Claim).where(Claim.path.in_(paths), Claim.leased_until < now))


async def hold(session: AsyncSession, key_id: str, path: str, connection_id: str | None = None) -> Claim | None:
    """The claim of that key and path (and connection, when it is known), from now on without a lease; None without
    one."""
    statement = update(Claim).where(Claim.stream_key_id == key_id, Claim.path == path, Claim.connection_id != NOBODY)
    statement = statement.values(leased_until=None)
    if connection_id is not None:
        statement = statement.where(Claim.connection_id == connection_id)
    return (await session.scalars(statement.returning(Claim))).one_or_none()


async def keep_path(
    session: AsyncSession, key_id: str, path: str, connection_id: str | None = None, *, until: datetime
) -> None:
    """The connection (when it is known) that held this key, which is locked, is gone: the path is kept for the key
    until that moment."""
    statement = update(Claim).where(Claim.stream_key_id == key_id, Claim.path == path)
    if connection_id is not None:
        statement = statement.where(Claim.connection_id == connection_id)
    statement = statement.values(connection_id=NOBODY, leased_until=until)
    await session.execute(statement.execution_options(synchronize_session=False))


async def drop_unchanged(session: AsyncSession, claim: Claim) -> None:
    """Delete that claim if it still is as it was read; its key is locked."""
    same = [getattr(Claim, name) == getattr(claim, name) for name in ("stream_key_id", "connection_id", "leased_until")]
    await session.execute(delete(Claim).where(*same).execution_options(synchronize_session=False))


async def drop_claims(session: AsyncSession, **which: str | Collection[str]) -> Sequence[Claim]:
    """Delete the claims of which the column of each given name has that value (or one of them); their keys are
    locked."""
    locked = select(Claim.path).order_by(Claim.path).with_for_update()
    for name, wanted in which.items():
        column = getattr(Claim, name)
        locked = locked.where(column == wanted if isinstance(wanted, str) else column.in_(wanted))
    return (await session.scalars(delete(Claim).where(Claim.path.in_(locked)).returning(Claim))).all()


def nobody_comes(now: datetime) -> ColumnElement[bool]:
    """A condition on streams whose publisher is away: no publisher that was let in within the grace time is still about
    to resume."""
    same = (Claim.stream_key_id == Stream.stream_key_id, Claim.path == Stream.path, Claim.connection_id != NOBODY)
    coming = select(Claim.path).where(*same, Claim.claimed_at <= Stream.grace_until, Claim.leased_until >= now)
    return ~coming.exists()
