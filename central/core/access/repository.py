"""SQL for the keys of people and programs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from central.core.access.tables import AdminKey
from central.core.db.among import among, texts
from central.core.ids import new_id
from central.core.types import Caller, Role

Callers = Callable[[AsyncSession, Collection[str], datetime], Awaitable[dict[str, Caller]]]
"""A query for the callers with tokens of these hashes that are valid at that moment, by hash."""


_HOLDERS: Final = select(AdminKey.key_hash, AdminKey.role, AdminKey.id, AdminKey.name).where(
    among(AdminKey.key_hash, texts("hashes")), AdminKey.revoked_at.is_(None)
)


async def holders(session: AsyncSession, hashes: Collection[str], _now: datetime) -> dict[str, Caller]:
    """The callers whose key is not revoked, by its hash."""
    found = await session.execute(_HOLDERS, {"hashes": hashes})
    return {row.key_hash: Caller(Role(row.role), row.id, row.name) for row in found}


async def add_key(session: AsyncSession, *, name: str, role: Role, key_hash: str, now: datetime) -> AdminKey:
    """Insert an admin key. Raises IntegrityError if an active key has this name."""
    key = AdminKey(id=new_id(), name=name, role=role, key_hash=key_hash, created_at=now, revoked_at=None)
    session.add(key)
    await session.flush()
    return key


async def keys(session: AsyncSession) -> Sequence[AdminKey]:
    return (await session.scalars(select(AdminKey).order_by(AdminKey.id))).all()


async def revoke_key(session: AsyncSession, name: str, *, now: datetime) -> bool:
    """Revoke the active key of this name. Return False if there is none."""
    statement = update(AdminKey).where(AdminKey.name == name, AdminKey.revoked_at.is_(None)).values(revoked_at=now)
    return (await session.execute(statement.returning(AdminKey.id))).first() is not None
