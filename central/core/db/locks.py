"""The order in which units of work lock rows, checked statement by statement."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from sqlalchemy import Delete, Engine, Insert, Select, Table, Update, event
from sqlalchemy.sql import visitors
from sqlalchemy.sql.elements import ClauseElement

LockOrder = Mapping[str, str | None]
"""Tables from first to last. Each with the column by which several of its rows are locked; None: one row at a time."""

_LOCKED: Final = "locked_tables"
"""Names the tables that the unit of work has locked so far, in what a connection remembers."""


class LockOrderError(Exception):
    """A unit of work locks rows in an order in which two units can wait for each other."""


def check_locks(engine: Engine, order: LockOrder) -> None:
    """Have each statement on `engine` raise LockOrderError before it breaks `order`.

    For tests and development: a unit of work that would rarely end in a deadlock always fails there. A table that a
    unit has locked already is not looked at again.
    """
    ranks = {table: rank for rank, table in enumerate(order)}

    @event.listens_for(engine, "begin")
    def begins(connection: Any) -> None:
        connection.info[_LOCKED] = []

    @event.listens_for(engine, "before_execute")
    def executes(connection: Any, statement: ClauseElement, *_: object) -> None:
        locked: list[str] = connection.info.setdefault(_LOCKED, [])
        for table, rows in _locks_of(statement):
            if table not in ranks:
                raise LockOrderError(f"The table {table} has no place in the order of locks.")
            if table not in locked and locked and ranks[table] < (last := max(map(ranks.__getitem__, locked))):
                raise LockOrderError(f"{table} is locked after {list(order)[last]}. Lock it before.")
            if rows is not None and (column := order[table]) and not _is_ordered(rows, table, column):
                raise LockOrderError(f"Rows of {table} are locked in any order. Lock them ORDER BY {column}.")
            locked.append(table)


def _locks_of(statement: ClauseElement) -> Iterator[tuple[str, Select[Any] | None]]:
    """The tables of which a statement locks rows: with the SELECT that does it and waits, or None."""
    for part in visitors.iterate(statement):
        if isinstance(part, Select) and (how := part._for_update_arg) is not None:
            tables = part.get_final_froms() if how.of is None else how.of
            for table in tables:
                yield _name_of(table), None if how.skip_locked else part
    if isinstance(statement, Insert | Update | Delete):
        yield _name_of(statement.table), None


def _name_of(table: Any) -> str:
    assert isinstance(table, Table), f"{table} is locked, and is no table"
    return table.name


def _is_ordered(rows: Select[Any], table: str, column: str) -> bool:
    first = next(iter(rows._order_by_clauses), None)
    return first is not None and str(first) == f"{table}.{column}"
