"""The calls about the videos of the library that this box keeps."""

from __future__ import annotations

from typing import Final, Literal

from aiohttp import web

from agent.frontends.http.answer import Answer
from agent.frontends.http.body import read_form, single_parameters
from agent.frontends.http.requests import NoBody
from agent.library.cache import VideoCache
from cast_http.negotiate import json_answer

CACHE: Final = web.AppKey[VideoCache]("cache")


class CachedAnswer(Answer):
    """One video, and what of it is here."""

    id: str
    title: str
    type: str
    size: int
    """Bytes."""
    received: int
    """Bytes that are here."""
    complete: bool
    """It plays from here."""
    played_at: str
    """When it was on the screen last, RFC 3339 in UTC; empty before that."""


class CacheAnswer(Answer):
    """The answer of `GET /cache`."""

    limit: int
    """Bytes that the cache may take; 0 when it is off."""
    used: int
    """Bytes that it takes."""
    hits: int
    """Videos that came on from here since the start of the agent."""
    misses: int
    """The same from the central API."""
    problem: str | None
    """The problem and what to do about it; null when all is well."""
    videos: tuple[CachedAnswer, ...]
    """The one that was played last first."""


class CacheCleared(Answer):
    """The answer of `DELETE /cache` and `DELETE /cache/{id}`."""

    status: Literal["success"] = "success"
    removed: int
    """Videos."""


async def list_cache(request: web.Request) -> web.Response:
    """`GET /cache`: the videos that are here, whole or in part."""
    single_parameters(request, known=())
    contents = await request.app[CACHE].contents()
    return json_answer(CacheAnswer.model_validate(contents).model_dump_json())


async def clear_cache(request: web.Request) -> web.Response:
    """`DELETE /cache`, or `DELETE /cache/{id}` for one video: succeeds when there was nothing, too."""
    await read_form(request, NoBody)
    removed = await request.app[CACHE].clear(request.match_info.get("id"))
    return json_answer(CacheCleared(removed=removed).model_dump_json())
