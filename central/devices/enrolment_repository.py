"""SQL for what lets boxes in: enrolment tokens, and the tokens of boxes."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Final

from sqlalchemy import ColumnElement, Select, delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from central.core.access.repository import Callers
from central.core.db.among import among, texts
from central.core.ids import new_id
from central.core.secrets import TokenKind
from central.core.types import Caller, Role
from central.devices.tables import Device, EnrolmentToken

_BOXES: Final = select(Device.token_hash, Device.id, Device.name).where(
    among(Device.token_hash, texts("hashes")), Device.revoked_at.is_(None)
)


async def boxes(session: AsyncSession, hashes: Collection[str], _now: datetime) -> dict[str, Caller]:
    """Boxes with a token that is not revoked, by its hash."""
    found = await session.execute(_BOXES, {"hashes": hashes})
    return {row.token_hash: Caller(Role.DEVICE, row.id, row.name) for row in found}


async def enrolments(session: AsyncSession, hashes: Collection[str], now: datetime) -> dict[str, Caller]:
    """Callers with an enrolment token that has not expired, by its hash. A used-up token counts as well: the box that
    used it may not have received the answer."""
    found = select(EnrolmentToken.token_hash, EnrolmentToken.id).where(
        among(EnrolmentToken.token_hash, hashes), EnrolmentToken.expires_at > now
    )
    return {row.token_hash: Caller(Role.ENROLMENT, row.id) for row in await session.execute(found)}


TOKENS: Final[Mapping[TokenKind, Callers]] = {TokenKind.DEVICE: boxes, TokenKind.ENROLMENT: enrolments}
"""The kinds of tokens that let boxes in."""


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
    """Revoke all enrolment tokens. Returns the number of those that could still be used."""
    open_ = _locked(EnrolmentToken.uses_left > 0, EnrolmentToken.expires_at > now)
    # No uses, too: another's clock may be behind, and it is then not over there yet.
    statement = update(EnrolmentToken).where(EnrolmentToken.id.in_(open_)).values(expires_at=now, uses_left=0)
    return len((await session.execute(statement.returning(EnrolmentToken.id))).all())


async def forget_enrolments(session: AsyncSession, *, before: datetime) -> None:
    """Delete the tokens that expired before that moment."""
    old = _locked(EnrolmentToken.expires_at < before)
    await session.execute(delete(EnrolmentToken).where(EnrolmentToken.id.in_(old)))


def _locked(*which: ColumnElement[bool]) -> Select[str]:
    """The ids of those tokens, locked in their order."""
    return select(EnrolmentToken.id).where(*which).order_by(EnrolmentToken.id).with_for_update()
