"""The content of the screen, taken once for all who ask at the same moment."""

from __future__ import annotations

import asyncio
import hashlib
import math
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from agent.errors import PlayerUnavailableError
from agent.stage.base import ImageFormat, Stage

SNAPSHOT_TIMEOUT_S: Final = 10.0
"""Encoding a 4K screen as PNG takes about 2 s on a Raspberry Pi; an X server that hangs never answers."""

MAX_AGE_LIMIT_S: Final = 10
"""The greatest age that a caller may allow; a picture is kept for as long."""

KEPT_LIMIT: Final = 4
"""Kinds of pictures that are kept: a page on a phone, one on a desktop, Home Assistant, and one more."""


@dataclass(frozen=True, slots=True)
class Kind:
    """The kinds of snapshots."""

    format: ImageFormat
    width: int | None = None


@dataclass(frozen=True, slots=True)
class Taken:
    """A picture, and the monotonic time at which it began to be taken."""

    content: bytes
    tag: str
    at: float


class Snapshots:
    """Takes one picture at a time, so that encoding never has more than one core. Whoever asks for the same kind while
    an earlier one is being taken shares the next one."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._busy = asyncio.Lock()
        self._next: dict[Kind, asyncio.Task[Taken]] = {}
        self._kept: OrderedDict[Kind, Taken] = OrderedDict()
        self._changed_at = -math.inf
        """The monotonic time since which the screen shows what it shows now."""

    def expire(self) -> None:
        """Make all pictures so far too old for everyone: the screen shows something else."""
        self._changed_at = asyncio.get_running_loop().time()

    async def take(self, kind: Kind, *, max_age_s: float) -> Taken:
        """A picture that began to be taken after this call, or at most `max_age_s` before it (0 to MAX_AGE_LIMIT_S) and
        after the last `expire`. Raises PlayerUnavailableError."""
        kept = self._kept.get(kind)
        oldest = max(asyncio.get_running_loop().time() - max_age_s, self._changed_at)
        if kept is not None and kept.at >= oldest:
            return kept
        task = self._next.get(kind)
        if task is None:
            task = self._next[kind] = asyncio.create_task(self._take(kind), name="snapshot")
            task.add_done_callback(_retrieve)
        return await asyncio.shield(task)

    async def _take(self, kind: Kind) -> Taken:
        try:
            async with asyncio.timeout(SNAPSHOT_TIMEOUT_S), self._turn(kind):
                at = asyncio.get_running_loop().time()
                content = await self._stage.snapshot(kind.format, width=kind.width)
        except TimeoutError as error:
            raise PlayerUnavailableError(
                f"The display did not answer within {SNAPSHOT_TIMEOUT_S:g} s. See /health; restart the display if it "
                "hangs."
            ) from error
        taken = Taken(content, hashlib.blake2b(content, digest_size=16).hexdigest(), at)
        self._kept[kind] = taken
        self._kept.move_to_end(kind)
        if len(self._kept) > KEPT_LIMIT:
            self._kept.popitem(last=False)
        asyncio.get_running_loop().call_at(at + MAX_AGE_LIMIT_S, self._forget, kind, at)
        return taken

    def _forget(self, kind: Kind, at: float) -> None:
        """The picture of that moment, unless there is a newer one. The timer does not hold the picture itself: those
        that newer ones have replaced would stay in memory until then."""
        kept = self._kept.get(kind)
        if kept is not None and kept.at == at:
            del self._kept[kind]

    @asynccontextmanager
    async def _turn(self, kind: Kind) -> AsyncIterator[None]:
        try:
            await self._busy.acquire()
        finally:
            del self._next[kind]  # later callers want a newer one
        try:
            yield
        finally:
            self._busy.release()


def _retrieve(task: asyncio.Task[Taken]) -> None:
    """All who asked may have hung up."""
    if not task.cancelled():
        task.exception()
