"""JSON bodies with a limit in size, depth and time."""

from __future__ import annotations

import asyncio
import encodings.utf_8_sig
import json
from typing import Any, Final, NoReturn

import pydantic_core
from aiohttp import web


class BodyError(ValueError):
    """The body is not what was asked for; `str()` is a sentence for the caller that repeats nothing of it."""


BODY_LIMIT: Final = web.RequestKey("body_limit", int)
"""Bytes of the body that are read, where a call has a limit of its own."""


async def read_bytes(request: web.Request, *, timeout_s: float) -> bytes:
    """The whole body, at most as many bytes as the call or else the application takes. Raises aiohttp's HTTP errors
    when it is too large (413), too slow (408) or broken (400)."""
    if (limit := request.get(BODY_LIMIT)) is not None:
        request = request.clone(client_max_size=limit)
    if (size := request.content_length) is not None and size > request.client_max_size > 0:
        raise web.HTTPRequestEntityTooLarge(max_size=request.client_max_size, actual_size=size)
    try:
        if request.content.is_eof():  # it is all here: nothing to wait for
            return await request.read()
        async with asyncio.timeout(timeout_s):
            return await request.read()
    except TimeoutError as error:
        raise web.HTTPRequestTimeout(text=f"The body did not arrive within {timeout_s:g} s.") from error
    except (web.RequestPayloadError, ConnectionError) as error:
        raise web.HTTPBadRequest(text="The body was cut off, or its encoding is broken.") from error


def parse_json(body: bytes, *, advice: str = "") -> Any:
    """The JSON in a body, whatever its Content-Type; None when the body is empty.

    `advice` is a sentence for whoever sent something else. Raises BodyError.
    """
    try:
        text: Final = encodings.utf_8_sig.decode(body)[0]  # the codec by name is read from the disk at first use
        return _DECODER.decode(text) if text.strip() else None
    except UnicodeDecodeError as error:
        raise BodyError("The body is not UTF-8 text.") from error
    except json.JSONDecodeError as error:
        raise BodyError(f"The body is not JSON{_where(text)}. {advice}".strip()) from error
    except RecursionError as error:
        raise BodyError("The body is nested too deeply.") from error
    except ValueError as error:  # an integer of thousands of digits, or NaN
        raise BodyError("The body holds a number that cannot be used.") from error


def _where(text: str) -> str:
    """A description of the first mistake and its place, in words that do not depend on the version of Python."""
    try:
        pydantic_core.from_json(text)
    except ValueError as error:
        return f" ({error})"
    return ""


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number")


_DECODER: Final = json.JSONDecoder(parse_constant=_no_constant)
"""`json.loads` would make one for each body, which takes longer than to read most of them."""
