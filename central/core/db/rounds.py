"""Units of work for many callers: what the database refuses of one of them costs the others nothing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Protocol, TypeVar

import structlog
from sqlalchemy.exc import StatementError
from sqlalchemy.ext.asyncio import AsyncSession

from central.core.db.engine import Database
from central.core.db.trouble import is_of_the_data

log = structlog.stdlib.get_logger(__name__)

Item = TypeVar("Item")
Result = TypeVar("Result")
Results = TypeVar("Results")
Step = Callable[[Sequence[Item]], Awaitable[Sequence[Result]]]
"""Writes some items; a result for each, in their order."""


class Apply(Protocol):
    """Executes a step for all items of a round and returns a result, or the error of the database, for each."""

    async def __call__(self, step: Step[Item, Result], items: Sequence[Item], /) -> Sequence[Result | Exception]: ...


async def write_round(database: Database, work: Callable[[AsyncSession, Apply], Awaitable[Results]]) -> Results:
    """Do `work` as one unit. If the database refuses it, do it once more, with a savepoint for each item of a step.

    `work` locks what it needs for all items before its step, which locks nothing above that. Raises
    DatabaseUnavailableError, which is no item's fault.
    """
    try:
        return await database.write(lambda session: work(session, _together))
    except StatementError as error:
        log.info("round_repeated", error=type(error).__name__)
    return await database.write(lambda session: work(session, partial(_one_by_one, session)))


async def _together(step: Step[Item, Result], items: Sequence[Item], /) -> Sequence[Result | Exception]:
    return await step(items)


async def _one_by_one(
    session: AsyncSession, step: Step[Item, Result], items: Sequence[Item], /
) -> Sequence[Result | Exception]:
    results: list[Result | Exception] = []
    for item in items:
        try:
            async with session.begin_nested():
                results += await step([item])
        except StatementError as error:
            if not is_of_the_data(error):
                raise
            results.append(error)
    return results
