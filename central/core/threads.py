"""Work that waits for a disk, in a thread."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar, TypeVarTuple

Ts = TypeVarTuple("Ts")
T = TypeVar("T")


async def in_thread(do: Callable[[*Ts], T], *args: *Ts) -> T:
    """Return the result of `do`, called in a thread, or raise its error. A caller that is cancelled waits for the end
    of the call, too: the things that it uses may be closed after that."""
    doing = asyncio.ensure_future(asyncio.to_thread(do, *args))
    try:
        return await asyncio.shield(doing)
    except asyncio.CancelledError:
        await asyncio.wait([doing])
        raise
