"""Work that waits for a disk, in a thread."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from contextvars import copy_context
from functools import partial
from typing import Any, BinaryIO, TypeVar, TypeVarTuple

Ts = TypeVarTuple("Ts")
T = TypeVar("T")
F = TypeVar("F", BinaryIO, BinaryIO | None)


async def in_thread(do: Callable[[*Ts], T], *args: *Ts) -> T:
    """Return the result of `do`, called in a thread, or raise its error. A caller that is cancelled waits for the end
    of the call, too: the things that it uses may be closed after that."""
    doing = _begun(do, *args)
    await _end_of(doing)
    return doing.result()


@asynccontextmanager
async def open_in_thread(take: Callable[[*Ts], F], *args: *Ts) -> AsyncIterator[F]:
    """The file that `take` opens, closed at the end of the block, or if the caller is cancelled while it is opened."""
    taking = _begun(take, *args)
    try:
        await _end_of(taking)
        yield taking.result()
    finally:
        if taking.exception() is None and (file := taking.result()) is not None:
            await in_thread(file.close)


def _begun(do: Callable[[*Ts], T], *args: *Ts) -> asyncio.Future[T]:
    """What `do` is going to return. This is no task, which would be cancelled with all others when the program ends:
    the thread would go on, and nobody would get, nor close, what it returns."""
    return asyncio.get_running_loop().run_in_executor(None, partial(copy_context().run, do, *args))


async def _end_of(doing: asyncio.Future[Any]) -> None:
    """Wait until a thread has ended, however often the caller is cancelled meanwhile: a thread cannot be."""
    cancelled: asyncio.CancelledError | None = None
    while not doing.done():
        try:
            await asyncio.wait([doing])
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        raise cancelled
