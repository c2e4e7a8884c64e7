"""Many callers, one round trip: what is asked while the database is busy is asked together as soon as it is free."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Generic, TypeVar

from central.core.errors import OverloadedError, UnavailableError

Item = TypeVar("Item")
Result = TypeVar("Result")

BATCH_LIMIT: Final = 100
"""Items of one round. More would not be faster for each, and the first would wait longer."""

QUEUE_LIMIT: Final = 2_000
"""Items that may wait: at the slowest rate seen that is 2 s. Whoever comes later is told to come again."""


class Batcher(Generic[Item, Result]):
    """Collects items and has them done in rounds, one round at a time, in the order in which they came.

    An item is done in a round that begins after it was submitted, so an answer is never older than its question.
    """

    def __init__(self, name: str, do: Callable[[Sequence[Item]], Awaitable[Sequence[Result | BaseException]]]) -> None:
        """`do` gets the items of a round and gives a result, or an error to raise, for each, in the same order. When it
        fails it has done nothing."""
        self._name = name
        self._do = do
        self._waiting: deque[tuple[Item, asyncio.Future[Result]]] = deque()
        self._round: asyncio.Task[None] | None = None

    async def submit(self, item: Item) -> Result:
        """The result for this item. Raises the error that `do` returned for it, or OverloadedError if too many items
        wait."""
        if len(self._waiting) >= QUEUE_LIMIT:
            raise OverloadedError("The service is overloaded. Try again in some seconds.")
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if self._round is None:
            self._round = asyncio.create_task(self._rounds(), name=f"batch-{self._name}")
        return await future

    async def close(self) -> None:
        """Wait for all submitted items."""
        if self._round is not None:
            await asyncio.shield(self._round)

    async def _rounds(self) -> None:
        try:
            while self._waiting:
                await self._no_more_come()
                taken = [self._waiting.popleft() for _ in range(min(BATCH_LIMIT, len(self._waiting)))]
                await self._one_round(taken)
        finally:
            self._round = None

    async def _no_more_come(self) -> None:
        """Return when no turn of the event loop brings another item. Those whose callers are at work anyway save a
        round of their own, and what a round costs is much of what an item costs."""
        before = 0
        while before < len(self._waiting) < BATCH_LIMIT:
            before = len(self._waiting)
            await asyncio.sleep(0)

    async def _done(self, items: Sequence[Item]) -> Sequence[Result | BaseException]:
        """The results or errors of a round. The items of a round that fails are done alone: nobody pays for what
        another asked."""
        try:
            return await self._do(items)
        except UnavailableError as error:  # no item is at fault, and each alone would fail, too
            return [error] * len(items)
        except Exception as error:
            if len(items) == 1:
                return [error]
            return [result for item in items for result in await self._done([item])]

    async def _one_round(self, taken: list[tuple[Item, asyncio.Future[Result]]]) -> None:
        try:
            results = await self._done([item for item, _ in taken])
        except asyncio.CancelledError:
            for _, future in taken:
                future.cancel()
            raise
        for (_, future), result in zip(taken, results, strict=True):
            with contextlib.suppress(asyncio.InvalidStateError):  # its caller has gone
                if isinstance(result, BaseException):
                    future.set_exception(result)
                else:
                    future.set_result(result)
