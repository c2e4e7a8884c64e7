"""Futures that several may want to settle: the first one counts."""

from __future__ import annotations

import asyncio
from typing import Any, TypeVar

T = TypeVar("T")


def new_future() -> asyncio.Future[Any]:
    """A future of the running event loop."""
    return asyncio.get_running_loop().create_future()


def resolve(future: asyncio.Future[T], value: T) -> None:
    """Settle it with a value, unless it is settled."""
    if not future.done():
        future.set_result(value)


def reject(future: asyncio.Future[T], error: Exception) -> None:
    """Settle it with an error, unless it is settled."""
    if not future.done():
        future.set_exception(error)


def mark_seen(future: asyncio.Future[Any]) -> None:
    """Mark as seen what nobody waited for, so that asyncio does not report it as lost."""
    if not future.cancel() and not future.cancelled():
        future.exception()
