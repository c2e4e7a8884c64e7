"""SQLite in a thread for each connection, with one turn of that thread for a statement.

aiosqlite has one each for making a cursor, executing, fetching and closing. While other programs want the processor,
each turn may wait for it, and SQLite itself takes microseconds.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeVar, cast

import aiosqlite

T = TypeVar("T")


def connect(file: str, **options: Any) -> Connection:
    """A connection for SQLAlchemy, once it is awaited. `options` are those of `sqlite3.connect`."""
    connection = Connection(partial(sqlite3.connect, file, **options), iter_chunk_size=1)
    connection._thread.daemon = True  # as SQLAlchemy does it: a connection that is lost does not keep the process
    return connection


class Connection(aiosqlite.Connection):
    """One whose cursors are `Cursor`, and that ends no transaction where there is none."""

    def cursor(self) -> Cursor:  # type: ignore[override]
        return Cursor(self)

    async def _connect(self) -> Connection:
        # Whoever is cancelled meanwhile waits for it: it takes a moment, and nobody else would close what comes of it.
        connecting = asyncio.ensure_future(super()._connect())
        try:
            await asyncio.shield(connecting)
        except asyncio.CancelledError:
            await connecting
            await self.close()
            raise
        return self

    async def rollback(self) -> None:
        if self.in_transaction:  # for sure: SQLAlchemy drops a connection whose turn was not waited for to its end
            await super().rollback()

    async def turn(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Do this in the thread."""
        return cast(T, await self._execute(work, self._conn))  # type: ignore[no-untyped-call]


class Cursor:
    """The part of a cursor that SQLAlchemy uses. All rows are fetched with the statement, as SQLAlchemy does anyway."""

    arraysize = 1

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._rows: list[Any] = []
        self.description: Any = None
        self.rowcount = -1
        self.lastrowid: int | None = None

    async def __aenter__(self) -> Cursor:
        return self

    async def execute(self, statement: str, parameters: Any = ()) -> None:
        await self._do(lambda cursor: cursor.execute(statement, parameters))

    async def executemany(self, statement: str, parameters: Sequence[Any]) -> None:
        await self._do(lambda cursor: cursor.executemany(statement, parameters))

    async def fetchall(self) -> list[Any]:
        rows, self._rows = self._rows, []
        return rows

    async def close(self) -> None:
        """It was closed with the statement."""

    async def _do(self, what: Callable[[sqlite3.Cursor], object]) -> None:
        def work(connection: sqlite3.Connection) -> tuple[Any, list[Any], int, int | None]:
            cursor = connection.cursor()
            try:
                what(cursor)
                description, rows = cursor.description, cursor.fetchall()
                return description, rows, cursor.rowcount, cursor.lastrowid
            finally:
                cursor.close()

        self.description, self._rows, self.rowcount, self.lastrowid = await self._connection.turn(work)
