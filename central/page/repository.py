"""SQL for log-ins to the page."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from functools import partial

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from central.core.access.repository import Callers
from central.core.access.tables import AdminKey
from central.core.secrets import TokenKind, digest
from central.core.types import API_HOLDER, Caller, Role
from central.page.tables import PageSession


async def holders(
    session: AsyncSession, hashes: Collection[str], now: datetime, *, secret_hash: str | None
) -> dict[str, Caller]:
    """The callers whose session has not expired and whose key is still valid, by the hash of the session's token."""
    opened = AdminKey.key_hash == PageSession.key_hash
    query = (
        select(PageSession.token_hash, PageSession.key_hash, AdminKey.role, AdminKey.id, AdminKey.name)
        .outerjoin(AdminKey, opened & AdminKey.revoked_at.is_(None))
        .where(PageSession.token_hash.in_(hashes), PageSession.expires_at > now)
    )
    found = {}
    for row in await session.execute(query):
        if row.id is not None:
            found[row.token_hash] = Caller(Role(row.role), row.id, row.name, session=row.token_hash)
        elif secret_hash is not None and row.key_hash == secret_hash:
            found[row.token_hash] = Caller(Role.ADMIN, name=API_HOLDER, session=row.token_hash)
    return found


def tokens(secret: str | None) -> Mapping[TokenKind, Callers]:
    """The kind of token that lets pages in. `secret` is that of the API, with which one can log in, too."""
    return {TokenKind.SESSION: partial(holders, secret_hash=None if secret is None else digest(secret))}


async def add(session: AsyncSession, made: PageSession, *, limit: int) -> None:
    """Insert a session; the oldest of its key end, so that there are at most `limit`. The key is locked meanwhile."""
    key = select(AdminKey.id).where(AdminKey.key_hash == made.key_hash)
    await session.execute(key.with_for_update(key_share=True))
    mine = PageSession.key_hash == made.key_hash
    newest = select(PageSession.token_hash).where(mine)
    newest = newest.order_by(PageSession.created_at.desc(), PageSession.token_hash).limit(limit - 1)
    gone = delete(PageSession).where(mine, PageSession.token_hash.not_in(newest))
    await session.execute(gone.execution_options(synchronize_session=False))
    session.add(made)


async def remove(session: AsyncSession, token_hash: str) -> None:
    await session.execute(delete(PageSession).where(PageSession.token_hash == token_hash))


async def forget(session: AsyncSession, *, before: datetime, limit: int) -> int:
    """Delete the sessions that expired before that moment, at most `limit`. Return their number."""
    old = select(PageSession.token_hash).where(PageSession.expires_at < before).limit(limit)
    gone = delete(PageSession).where(PageSession.token_hash.in_(old.with_for_update(skip_locked=True)))
    statement = gone.returning(PageSession.token_hash).execution_options(synchronize_session=False)
    return len((await session.execute(statement)).all())
