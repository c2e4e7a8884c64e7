"""SQL for boxes and what they say."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, and_, bindparam, delete, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from central.core.db.among import among, texts
from central.core.db.engine import insert_into
from central.devices.tables import Device, DeviceBoot, DeviceState
from central.streams.tables import Stream
from central.streams.types import StreamStatus

DECODERS_LIMIT: Final = 100
"""The boxes of an organisation are of a few kinds; one that makes up codecs delays no check."""
BOOTS_LIMIT: Final = 100
"""Runs of one box that are kept: states come late by one or two, and a box that makes up runs fills no disk."""


@dataclass(frozen=True, slots=True)
class DeviceRecord:
    """A box, the latest that it said, and its stream that is on."""

    device: Device
    state: DeviceState | None
    stream_id: str | None
    stream_code: str | None


async def records(
    session: AsyncSession,
    *,
    ids: Collection[str] | None = None,
    online_at: datetime | None = None,
    online: bool = True,
    after: str | None = None,
    limit: int,
) -> Sequence[DeviceRecord]:
    """Boxes that are not revoked, the newest first. With `online_at` those that are (or are not) online then."""
    query = (
        select(Device, DeviceState, Stream.id, Stream.code)
        .outerjoin(DeviceState, DeviceState.device_id == Device.id)
        .outerjoin(Stream, and_(Stream.device_id == Device.id, Stream.status == StreamStatus.ACTIVE))
        .where(Device.revoked_at.is_(None))
        .order_by(Device.id.desc())
        .limit(limit)
    )
    if ids is not None:
        query = query.where(Device.id.in_(ids))
    if online_at is not None:
        is_online = Device.online_until > online_at
        query = query.where(is_online if online else or_(~is_online, Device.online_until.is_(None)))
    if after is not None:
        query = query.where(Device.id < after)
    return [DeviceRecord(*row) for row in await session.execute(query)]


_KNOWN: Final = select(Device.id, Device.token_hash, Device.decodes).where(
    among(Device.id, texts("ids")), Device.revoked_at.is_(None)
)


async def known(session: AsyncSession, ids: Collection[str]) -> Sequence[tuple[str, str, str | None]]:
    """Id, hash of the token and what it decodes, of each of these boxes that is not revoked."""
    return [(row.id, row.token_hash, row.decodes) for row in await session.execute(_KNOWN, {"ids": ids})]


async def decoders(session: AsyncSession) -> Sequence[str | None]:
    """What boxes decode that are not revoked, each that differs once; at most DECODERS_LIMIT."""
    query = select(Device.decodes).where(Device.revoked_at.is_(None)).distinct().limit(DECODERS_LIMIT)
    return (await session.scalars(query)).all()


async def with_token(session: AsyncSession, token_hash: str) -> Device | None:
    """The box of that token, also when it has been revoked."""
    return await session.scalar(select(Device).where(Device.token_hash == token_hash))


async def change(session: AsyncSession, device_id: str, values: dict[str, Any]) -> bool:
    """Change a box. Return False if there is none with this id, or it is revoked."""
    statement = update(Device).where(Device.id == device_id, Device.revoked_at.is_(None)).values(values)
    return (await session.execute(statement.returning(Device.id))).first() is not None


async def lock(session: AsyncSession, device_id: str) -> bool:
    """Lock a box before it gets something that ends with it, such as a stream, so that nobody revokes it meanwhile.
    Return False if there is none with this id, or it is revoked."""
    return await session.scalar(_locked(Device.id == device_id)) is not None


async def touch(session: AsyncSession, ids: Collection[str], *, now: datetime, online_until: datetime) -> set[str]:
    """Record contact with these boxes; the ids of those that exist."""
    values = {"ids": ids, "now": now, "until": online_until}
    return set((await session.scalars(_TOUCHED, values)).all())


async def boot_number(session: AsyncSession, device_id: str, boot_id: str, *, now: datetime) -> int:
    """The number of this run among the runs of the box; the greatest one for a new run. The box is locked."""
    known = select(DeviceBoot.number).where(DeviceBoot.device_id == device_id, DeviceBoot.boot_id == boot_id)
    number = await session.scalar(known)
    if number is None:
        values = {"device_id": device_id, "boot_id": boot_id, "first_seen": now}
        await session.execute(insert_into(session, DeviceBoot).values(values).on_conflict_do_nothing())
        number = await session.scalar(known)
        of_box = DeviceBoot.device_id == device_id
        last = select(DeviceBoot.number).where(of_box).order_by(DeviceBoot.number.desc()).limit(1).offset(BOOTS_LIMIT)
        old = delete(DeviceBoot).where(of_box, DeviceBoot.number <= last.scalar_subquery())
        await session.execute(old.execution_options(synchronize_session=False))
    assert number is not None
    return number


async def put_state(
    session: AsyncSession, device_id: str, *, boot: int, seq: int, state: dict[str, Any], now: datetime
) -> bool:
    """Store the state. Return False if a later one is stored already."""
    statement = insert_into(session, DeviceState).values(
        device_id=device_id, boot_number=boot, seq=seq, state=state, received_at=now
    )
    given = statement.excluded
    later = or_(
        given.boot_number > DeviceState.boot_number,
        and_(given.boot_number == DeviceState.boot_number, given.seq > DeviceState.seq),
    )
    kept = await session.execute(
        statement.on_conflict_do_update(
            index_elements=["device_id"],
            set_={name: given[name] for name in ("boot_number", "seq", "state", "received_at")},
            where=later,
        ).returning(DeviceState.device_id)
    )
    return kept.first() is not None


async def lock_lost(session: AsyncSession, *, before: datetime) -> Sequence[str]:
    """Boxes with a stream that is on, that were online for the last time before that moment; locked, so that none
    comes back meanwhile."""
    query = (
        select(Device.id)
        .join(Stream, and_(Stream.device_id == Device.id, Stream.status == StreamStatus.ACTIVE))
        .where(or_(Device.online_until < before, and_(Device.online_until.is_(None), Device.created_at < before)))
        .order_by(Device.id)
        .limit(1000)
        .with_for_update(of=Device, key_share=True)
    )
    return (await session.scalars(query)).all()


async def count_online(session: AsyncSession, *, now: datetime) -> int:
    query = select(func.count()).select_from(Device).where(Device.revoked_at.is_(None), Device.online_until > now)
    return await session.scalar(query) or 0


async def forget_boots(session: AsyncSession, *, before: datetime) -> None:
    """Delete runs that were first heard of before that moment, except the current one of each box."""
    current = select(DeviceState.boot_number)
    old = select(DeviceBoot.number).where(DeviceBoot.first_seen < before, DeviceBoot.number.not_in(current))
    statement = delete(DeviceBoot).where(DeviceBoot.number.in_(old.with_for_update(skip_locked=True)))
    await session.execute(statement.execution_options(synchronize_session=False))


def _locked(*which: ColumnElement[bool]) -> Select[str]:
    """The ids of those boxes that are not revoked, locked in their order."""
    # NO KEY UPDATE (key_share): rows that name a box may be added by others meanwhile.
    query = select(Device.id).where(*which, Device.revoked_at.is_(None)).order_by(Device.id)
    return query.with_for_update(key_share=True)


_TOUCHED: Final = (
    update(Device)
    .where(Device.id.in_(_locked(among(Device.id, texts("ids")))))
    .values(last_seen=bindparam("now"), online_until=bindparam("until"))
    .returning(Device.id)
    .execution_options(synchronize_session=False)
)
