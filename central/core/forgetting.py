"""Deletes what is too old to be kept, without anybody waiting behind it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from datetime import datetime
from functools import partial
from typing import Final, Protocol

from sqlalchemy.ext.asyncio import AsyncSession

from central.core.db.engine import Database

EVERY_S: Final = 600.0
"""The interval between two looks for records that are too old."""
PORTION: Final = 1_000
"""Rows of one unit of work: a few milliseconds, so that nobody waits behind it."""
PAUSE_S: Final = 0.05
"""The pause between two of them, in which others who wait for the database have their turn."""


class Forget(Protocol):
    """Deletes rows from before a moment, at most `limit`. Returns their number."""

    def __call__(self, session: AsyncSession, *, before: datetime, limit: int) -> Awaitable[int]: ...


class Delete(Protocol):
    """Deletes rows, at most `limit`. Returns their number."""

    def __call__(self, session: AsyncSession, *, limit: int) -> Awaitable[int]: ...


async def forget(database: Database, what: Forget, *, before: datetime) -> int:
    """Have all of it deleted, a portion at a time; how many rows there were. Raises DatabaseUnavailableError."""
    return await in_portions(database, partial(what, before=before))


async def in_portions(database: Database, what: Delete) -> int:
    """The same for rows of any age."""
    total = 0
    while True:
        number = await database.write(lambda session: what(session, limit=PORTION))
        total += number
        if number < PORTION:
            return total
        await asyncio.sleep(PAUSE_S)
