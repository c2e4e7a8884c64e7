"""SQL for the events of boxes."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ARRAY, String, bindparam, column, delete, func, select
from sqlalchemy.dialects.postgresql import Insert as PostgresInsert
from sqlalchemy.dialects.postgresql import insert as postgres_insert
from sqlalchemy.dialects.sqlite import Insert as SqliteInsert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.sql.dml import ReturningInsert

from central.core.db.engine import insert_rows_into, is_postgres, table_of
from central.devices.tables import Event

_TABLE: Final = table_of(Event)
_COLUMNS: Final = tuple(each for each in _TABLE.columns if each.key != Event.number.key)


async def add(session: AsyncSession, rows: Sequence[dict[str, Any]]) -> set[tuple[str, str]]:
    """Insert events in this order. Returns the (device_id, event_id) of those that are new."""
    if not rows:
        return set()
    if is_postgres(session):
        arrays = {each.key: [row[each.key] for row in rows] for each in _COLUMNS}
        new = await session.execute(_of_new(_insert_of_arrays()), arrays)
    else:
        new = await session.execute(_of_new(insert_rows_into(session, Event)), rows)
    return {(row.device_id, row.event_id) for row in new}


@functools.cache  # one for each kind of database; to make it costs as much as to keep some events
def _of_new(insert: PostgresInsert | SqliteInsert) -> ReturningInsert[str, str]:
    return insert.on_conflict_do_nothing().returning(Event.device_id, Event.event_id)


@functools.cache
def _insert_of_arrays() -> PostgresInsert:
    """One parameter for each column. With one for each value of each row SQLAlchemy wrote the statement anew for each
    round, and PostgreSQL planned one for each number of rows: the service took a fifth more for that."""
    # With its length the type of a text would be a cast, which cuts what is too long in place of refusing it.
    types = {each.key: String() if isinstance(each.type, String) else each.type for each in _COLUMNS}
    arrays = func.unnest(*(bindparam(key, type_=ARRAY(of)) for key, of in types.items()))
    columns = (column(key, of) for key, of in types.items())
    rows = arrays.table_valued(*columns, with_ordinality="place").render_derived()
    in_order = select(*(rows.c[key] for key in types)).order_by(rows.c.place)
    return postgres_insert(_TABLE).from_select(_COLUMNS, in_order)


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
