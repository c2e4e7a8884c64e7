"""One look for all callers who ask the same at the same time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from central.core.batch import QUEUE_LIMIT
from central.core.errors import OverloadedError

AnswerT = TypeVar("AnswerT")


class Shared(Generic[AnswerT]):
    """Answers the same question of several callers with one look, which begins after each of them asked.

    There is one look at a time for a question. Other questions do not wait for it.
    """

    def __init__(self) -> None:
        self._next: dict[object, asyncio.Task[AnswerT]] = {}
        self._under_way: dict[object, asyncio.Task[AnswerT]] = {}
        self._callers = 0

    async def ask(self, key: object, answer: Callable[[], Awaitable[AnswerT]]) -> AnswerT:
        """The answer; `key` is equal for the same question. Raises what `answer` raises, or OverloadedError if too many
        callers wait."""
        if self._callers >= QUEUE_LIMIT:
            raise OverloadedError("The service is overloaded. Try again in some seconds.")
        if (look := self._next.get(key)) is None:
            look = asyncio.create_task(self._look(key, answer, self._under_way.get(key)), name="shared-look")
            self._next[key] = look
        self._callers += 1
        try:
            return await asyncio.shield(look)  # others wait for it, too
        finally:
            self._callers -= 1

    async def _look(
        self, key: object, answer: Callable[[], Awaitable[AnswerT]], before: asyncio.Task[AnswerT] | None
    ) -> AnswerT:
        if before is not None:
            await asyncio.wait((before,))
        self._under_way[key] = self._next.pop(key)  # whoever asks from now on gets the next one
        try:
            return await answer()
        finally:
            del self._under_way[key]
