"""Work that waits for a disk, in a thread."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import BinaryIO, TypeVar, TypeVarTuple

Ts = TypeVarTuple("Ts")
T = TypeVar("T")
F = TypeVar("F", BinaryIO, BinaryIO | None)


async def in_thread(do: Callable[[*Ts], T], *args: *Ts) -> T:
    """Return the result of `do`, called in a thread, or raise its error. A caller that is cancelled waits for the end
    of the call, too: the things that it uses may be closed after that."""
    doing = asyncio.ensure_future(asyncio.to_thread(do, *args))
    try:
        return await asyncio.shield(doing)
    except asyncio.CancelledError:
        await asyncio.wait([doing])
        raise


@asynccontextmanager
async def open_in_thread(take: Callable[[*Ts], F], *args: *Ts) -> AsyncIterator[F]:
    """The file that `take` opens, closed at the end of the block, or if the caller is cancelled while it is opened."""
    taking = asyncio.ensure_future(asyncio.to_thread(take, *args))
    try:
        yield await asyncio.shield(taking)
    finally:
        await asyncio.wait([taking])
        if taking.exception() is None and (file := taking.result()) is not None:
            await in_thread(file.close)
