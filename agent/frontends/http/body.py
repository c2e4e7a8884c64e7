"""Reading what a caller sends: bodies with a limit in size, depth and time, and query parameters."""

from __future__ import annotations

import asyncio
import encodings.utf_8_sig
import json
from collections.abc import Collection
from typing import Any, Final, NoReturn

import pydantic_core
from aiohttp import web

from agent.errors import FieldError, InvalidRequestError

BODY_LIMIT: Final = 64 * 1024
"""Bytes, after decompression. A start with the longest URL that we take needs a tenth of it."""

READ_TIMEOUT_S: Final = 10.0
"""64 KiB in 10 s is 52 kbit/s: slower than any network that can carry a stream, so it is an attack or a dead client."""


async def read_object(request: web.Request, *, example: str) -> dict[str, Any] | None:
    """The JSON object in the body, whatever its Content-Type; None when the body is empty.

    `example` is a good body, to show to who sends another. Raises InvalidRequestError when it is anything else, and
    aiohttp's HTTP errors when it is too large (413), too slow (408) or broken on the way (400).
    """
    body = await _read(request)
    try:
        text = encodings.utf_8_sig.decode(body)[0]  # imported: the codec by name is read from the disk at first use
    except UnicodeDecodeError as error:
        raise _bad_body("The body is not UTF-8 text.") from error
    if not text.strip():
        return None
    try:
        value = json.loads(text, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        raise _bad_body(f"The body is not JSON{_where(text)}. Send for example {example}.") from error
    except RecursionError as error:
        raise _bad_body("The body is nested too deeply.") from error
    except ValueError as error:  # an integer of thousands of digits, or NaN
        raise _bad_body("The body holds a number that cannot be used.") from error
    if not isinstance(value, dict):
        raise _bad_body(f"The body must be a JSON object, for example {example}.")
    return value


def single_parameters(request: web.Request, *, known: Collection[str]) -> dict[str, str]:
    """The query parameters that are not empty. Raises InvalidRequestError for one that is unknown or there twice."""
    errors: dict[str, str] = {}
    for name in request.query:
        if name not in known:
            takes = f"it takes {', '.join(sorted(known))}" if known else "it takes none; fields go into the body"
            errors[name[:100]] = f"is not a query parameter of this call: {takes}"
        elif len(request.query.getall(name)) > 1:
            errors[name] = "is there more than once"
    if errors:
        fields = tuple(FieldError(name, message) for name, message in list(errors.items())[:20])
        raise InvalidRequestError(f"{fields[0].field} {fields[0].message}.", fields)
    return {name: value for name, value in request.query.items() if value.strip()}


async def _read(request: web.Request) -> bytes:
    if request.content_length is not None and request.content_length > BODY_LIMIT:
        raise web.HTTPRequestEntityTooLarge(max_size=BODY_LIMIT, actual_size=request.content_length)
    try:
        async with asyncio.timeout(READ_TIMEOUT_S):
            return await request.read()
    except TimeoutError as error:
        raise web.HTTPRequestTimeout(text=f"The body did not arrive within {READ_TIMEOUT_S:g} s.") from error
    except (web.RequestPayloadError, ConnectionError) as error:
        raise web.HTTPBadRequest(text="The body was cut off, or its encoding is broken.") from error


def _where(text: str) -> str:
    """What is wrong, and where, in words that are the same with every Python."""
    try:
        pydantic_core.from_json(text)
    except ValueError as error:
        return f" ({error})"
    return ""


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number")


def _bad_body(message: str) -> InvalidRequestError:
    return InvalidRequestError(message, (FieldError("", message),))
