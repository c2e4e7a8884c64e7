"""SQL for the events of boxes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from central.core.db.engine import insert_rows_into
from central.devices.tables import Event


async def add(session: AsyncSession, rows: Sequence[dict[str, Any]]) -> set[tuple[str, str]]:
    """Insert events in this order. Returns the (device_id, event_id) of those that are new."""
    if not rows:
        return set()
    statement = insert_rows_into(session, Event).on_conflict_do_nothing().returning(Event.device_id, Event.event_id)
    return {(row.device_id, row.event_id) for row in await session.execute(statement, rows)}


async def page(
    session: AsyncSession, device_id: str, *, kind: str | None, session_id: str | None, after: int, limit: int
) -> Sequence[Event]:
    """Events in the order of their arrival, after the number `after`."""
    query = select(Event).where(Event.device_id == device_id, Event.number > after)
    if kind is not None:
        query = query.where(Event.kind == kind)
    if session_id is not None:
        query = query.where(Event.session_id == session_id)
    return (await session.scalars(query.order_by(Event.number).limit(limit))).all()


async def forget(session: AsyncSession, *, before: datetime, limit: int) -> int:
    """Delete events from before that moment, at most `limit`. Returns their number."""
    # Rows that another instance deletes at the same time are left to it.
    old = select(Event.number).where(Event.received_at < before).limit(limit).with_for_update(skip_locked=True)
    statement = delete(Event).where(Event.number.in_(old)).returning(Event.number)
    return len((await session.execute(statement.execution_options(synchronize_session=False))).all())
