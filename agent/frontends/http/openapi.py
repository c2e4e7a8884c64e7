"""The OpenAPI document of the agent, which `GET /openapi.json` answers with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from aiohttp import web

from agent.util.threads import in_thread
from cast_http.negotiate import json_answer

DESCRIPTION: Final = web.AppKey[Callable[[], str]]("description")
"""Makes the document, at the first call; cheap from then on."""


async def openapi(request: web.Request) -> web.Response:
    """`GET /openapi.json`: the description of all calls."""
    # The schemas of all models take some 100 ms on a small box.
    return json_answer(await in_thread(request.app[DESCRIPTION], name="openapi"))
