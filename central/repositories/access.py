"""SQL for what lets callers in."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, Select, delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from central.db.tables import AdminKey, Device, EnrolmentToken
from central.ids import new_id
from central.secrets import TokenKind
from central.types import Caller, Role


async def callers(
    session: AsyncSession, kind: TokenKind, hashes: Collection[str], *, now: datetime
) -> dict[str, Caller]:
    """By the hash of their token, those who are let in now. Stream keys are nobody's here."""
    match kind:
        case TokenKind.ADMIN:
            keys = select(AdminKey.key_hash, AdminKey.id, AdminKey.name).where(
                AdminKey.key_hash.in_(hashes), AdminKey.revoked_at.is_(None)
            )
            return {row.key_hash: Caller(Role.ADMIN, row.id, row.name) for row in await session.execute(keys)}
        case TokenKind.DEVICE:
            devices = select(Device.token_hash, Device.id, Device.name).where(
                Device.token_hash.in_(hashes), Device.revoked_at.is_(None)
            )
            return {row.token_hash: Caller(Role.DEVICE, row.id, row.name) for row in await session.execute(devices)}
        case TokenKind.ENROLMENT:
            # Also one that has been used up: the box that used it may not have heard the answer.
            tokens = select(EnrolmentToken.token_hash, EnrolmentToken.id).where(
                EnrolmentToken.token_hash.in_(hashes), EnrolmentToken.expires_at > now
            )
            return {row.token_hash: Caller(Role.ENROLMENT, row.id) for row in await session.execute(tokens)}
        case TokenKind.STREAM_KEY:
            return {}


async def add_key(session: AsyncSession, *, name: str, key_hash: str, now: datetime) -> AdminKey:
    """Raises IntegrityError when there is an active key of that name."""
    key = AdminKey(id=new_id(), name=name, key_hash=key_hash, created_at=now, revoked_at=None)
    session.add(key)
    await session.flush()
    return key


async def keys(session: AsyncSession) -> Sequence[AdminKey]:
    return (await session.scalars(select(AdminKey).order_by(AdminKey.id))).all()


async def revoke_key(session: AsyncSession, name: str, *, now: datetime) -> bool:
    """Whether there was an active one of that name."""
    statement = update(AdminKey).where(AdminKey.name == name, AdminKey.revoked_at.is_(None)).values(revoked_at=now)
    return (await session.execute(statement.returning(AdminKey.id))).first() is not None


async def add_enrolment(
    session: AsyncSession, *, token_hash: str, uses: int, now: datetime, expires_at: datetime
) -> None:
    session.add(
        EnrolmentToken(id=new_id(), token_hash=token_hash, uses_left=uses, created_at=now, expires_at=expires_at)
    )


async def use_enrolment(session: AsyncSession, token_id: str, *, now: datetime) -> bool:
    """Take one of the uses that are left; False when there is none, also when another took it just now."""
    statement = (
        update(EnrolmentToken)
        .where(EnrolmentToken.id == token_id, EnrolmentToken.uses_left > 0, EnrolmentToken.expires_at > now)
        .values(uses_left=EnrolmentToken.uses_left - 1)
        .returning(EnrolmentToken.id)
    )
    return (await session.execute(statement)).first() is not None


async def revoke_enrolments(session: AsyncSession, *, now: datetime) -> int:
    """How many there were that could still be used."""
    open_ = _locked(EnrolmentToken.uses_left > 0, EnrolmentToken.expires_at > now)
    # No uses, too: another's clock may be behind, and it is then not over there yet.
    statement = update(EnrolmentToken).where(EnrolmentToken.id.in_(open_)).values(expires_at=now, uses_left=0)
    return len((await session.execute(statement.returning(EnrolmentToken.id))).all())


async def forget_enrolments(session: AsyncSession, *, before: datetime) -> None:
    """Those that ran out before that moment."""
    old = _locked(EnrolmentToken.expires_at < before)
    await session.execute(delete(EnrolmentToken).where(EnrolmentToken.id.in_(old)))


def _locked(*which: ColumnElement[bool]) -> Select[str]:
    """The ids of those tokens, locked in their order."""
    return select(EnrolmentToken.id).where(*which).order_by(EnrolmentToken.id).with_for_update()
