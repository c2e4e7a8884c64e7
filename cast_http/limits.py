"""The limits that a call may have of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any, TypeVar

from aiohttp import web

from cast_http.body import BODY_LIMIT
from cast_http.operations import Operation

T = TypeVar("T")


def limit_body(request: web.Request, operation: Operation[Any, Any]) -> None:
    """Have `read_bytes` read no more of the body than the call takes."""
    if operation.body_limit is not None:
        request[BODY_LIMIT] = operation.body_limit


async def in_time(operation: Operation[Any, Any], reply: Awaitable[T]) -> T:
    """The reply of a call. Raises HTTPGatewayTimeout, and cancels what was begun, when the time of the call is over."""
    if (limit_s := operation.timeout_s) is None:
        return await reply
    try:
        async with asyncio.timeout(limit_s) as scope:
            return await reply
    except TimeoutError as error:
        if not scope.expired():
            raise
        text = f"This call may take {limit_s:g} s, and was given up. Try again later."
        raise web.HTTPGatewayTimeout(text=text) from error
