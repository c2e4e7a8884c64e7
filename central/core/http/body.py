"""Reading what a caller sends, and saying in its own words what is wrong with it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final, TypeVar
from urllib.parse import parse_qsl

from aiohttp import web
from pydantic import BaseModel, ValidationError

from cast_http.body import BodyError, parse_json, read_bytes
from cast_wire.storable import flaw_of
from central.core.errors import FieldError, InvalidRequestError
from central.core.uploads import Upload
from central.core.wording import sentence_of, wrong_fields

BODY_LIMIT: Final = 512 * 1024
"""Bytes, after decompression. The largest is a batch of 50 events with 4 KiB of data each."""

READ_TIMEOUT_S: Final = 15.0
"""A batch on a line of 300 kbit/s; what is slower is an attack or a dead client."""

SILENCE_S: Final = 30.0
"""The longest pause between two pieces of an upload: a line that says nothing for that long is dead, and its caller
begins again."""

Model = TypeVar("Model", bound=BaseModel)


async def read_raw(request: web.Request) -> Any:
    """The JSON in the body, whatever its Content-Type; None when the body is empty. Its parts may have flaws.

    Raises InvalidRequestError, and aiohttp's HTTP errors when it is too large, too slow or broken on the way.
    """
    return _parse(await read_bytes(request, timeout_s=READ_TIMEOUT_S))


async def read_json(request: web.Request) -> Any:
    """The same, refused when any part of it has a flaw (`flaw_of`)."""
    return _storable(await read_raw(request))


async def read_form(request: web.Request) -> Any:
    """Like `read_json`, but what does not begin as JSON is taken for a form, as `curl --data-urlencode` sends it."""
    body = await read_bytes(request, timeout_s=READ_TIMEOUT_S)
    if body.lstrip()[:1] in (b"{", b"[", b'"', b""):
        return _storable(_parse(body))
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=50, errors="strict")
    except ValueError as error:
        raise _bad_body("The body is neither JSON nor a form.") from error
    return _storable(dict(pairs))


def upload_of(request: web.Request) -> Upload:
    """The body as it comes, whatever its size: the handler bounds it."""
    return Upload(request.content_length, _chunks(request))


def validated(model: type[Model], given: Any, *, what: str = "body") -> Model:
    """The model. Raises InvalidRequestError that names every wrong field, and never repeats a value."""
    if not isinstance(given, Mapping):
        raise _bad_body(f"The {what} must be a JSON object.")
    try:
        return model.model_validate(given)
    except ValidationError as error:
        errors = wrong_fields(error, [field.alias or name for name, field in model.model_fields.items()])
        raise InvalidRequestError(sentence_of(errors), errors) from error


def query_of(request: web.Request) -> dict[str, str]:
    """The query parameters. Raises InvalidRequestError for one that is there twice."""
    if not request.rel_url.raw_query_string:
        return {}
    for name in request.query:
        if len(request.query.getall(name)) > 1:
            raise InvalidRequestError.of(name[:64], "is there more than once")
    query: dict[str, str] = _storable(dict(request.query), what="query")
    return query


async def _chunks(request: web.Request) -> AsyncIterator[bytes]:
    while True:
        try:
            async with asyncio.timeout(SILENCE_S):
                chunk = await request.content.readany()
        except TimeoutError as error:
            raise web.HTTPRequestTimeout(text=f"Nothing came for {SILENCE_S:g} s.") from error
        except (web.RequestPayloadError, ConnectionError) as error:
            raise web.HTTPBadRequest(text="The body was cut off, or its encoding is broken.") from error
        if not chunk:
            return
        yield chunk


def _parse(body: bytes) -> Any:
    try:
        return parse_json(body)
    except BodyError as error:
        raise _bad_body(str(error)) from error


def _storable(value: Any, *, what: str = "body") -> Any:
    if (flaw := flaw_of(value)) is not None:
        raise _bad_body(f"The {what} {flaw}.")
    return value


def _bad_body(message: str) -> InvalidRequestError:
    return InvalidRequestError(message, (FieldError("", message),))
