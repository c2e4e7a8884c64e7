"""Reading what a caller sends: bodies with a limit in size, depth and time, and query parameters."""

from __future__ import annotations

import codecs
from collections.abc import Collection
from typing import Any, Final, TypeVar

from aiohttp import web

from agent.casting.forms import Form
from agent.errors import FieldError, InvalidRequestError
from cast_http.body import BodyError, parse_json, read_bytes

F = TypeVar("F", bound=Form)

BODY_LIMIT: Final = 64 * 1024
"""Bytes, after decompression. A start with the longest URL that we take needs a tenth of it."""

READ_TIMEOUT_S: Final = 10.0
"""64 KiB in 10 s is 52 kbit/s: slower than any network that can carry a stream, so it is an attack or a dead client."""


async def read_object(request: web.Request, *, example: str) -> dict[str, Any] | None:
    """The JSON object in the body, whatever its Content-Type; None when the body is empty.

    `example` is a good body, to show to who sends another. Raises InvalidRequestError when it is anything else, and
    aiohttp's HTTP errors when it is too large (413), too slow (408) or broken on the way (400).
    """
    body = await read_bytes(request, timeout_s=READ_TIMEOUT_S)
    if not body.removeprefix(codecs.BOM_UTF8).strip():
        return None
    try:
        value = parse_json(body, advice=f"Send for example {example}.")
    except BodyError as error:
        raise _bad_body(str(error)) from error
    if not isinstance(value, dict):
        raise _bad_body(f"The body must be a JSON object, for example {example}.")
    return value


async def read_form(request: web.Request, form: type[F]) -> F:
    """The form in the body of a call without query parameters. An empty body counts as an empty object. Raises as
    `read_object` does."""
    # `POST /stop?session_id=...` would otherwise end another session than the one that is meant.
    single_parameters(request, known=())
    return form.parse(await read_object(request, example=form.EXAMPLE) or {})


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


def _bad_body(message: str) -> InvalidRequestError:
    return InvalidRequestError(message, (FieldError("", message),))
