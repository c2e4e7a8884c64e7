"""The calls that look: status, health, a picture of the screen."""

from __future__ import annotations

import asyncio
from typing import Final

from aiohttp import web

from agent.errors import FieldError, InvalidRequestError, PlayerUnavailableError
from agent.frontends.http.app_keys import CASTING, DEVICE, PLAYERS, REPORTING, STAGE, STORAGE, TASKS, TOLD
from agent.frontends.http.guard import DOOR
from agent.frontends.http.health import Alive, HealthAnswer
from agent.frontends.http.negotiate import json_answer, preference
from agent.frontends.http.responses import StatusAnswer
from agent.stage.base import ImageFormat

SNAPSHOT_TIMEOUT_S: Final = 10.0
"""Encoding a 4K screen as PNG takes about 2 s on a Raspberry Pi; an X server that hangs never answers."""


async def status(request: web.Request) -> web.Response:
    """`GET /status`: what is on."""
    return json_answer(status_answer(request.app).model_dump_json())


def status_answer(app: web.Application) -> StatusAnswer:
    """What is on now."""
    casting = app[CASTING]
    return StatusAnswer.of(casting.snapshot(), app[DEVICE], casting.volume, app[REPORTING](), app[TOLD]())


async def health(request: web.Request) -> web.Response:
    """`GET /health`: whether a start would work, and what to do when it would not."""
    app = request.app
    seen = (app[CASTING].snapshot(), app[STAGE].health, app[PLAYERS].health)
    answer = HealthAnswer.of(*seen, tasks=app[TASKS](), storage=app[STORAGE]())
    return json_answer(answer.model_dump_json())


async def live(request: web.Request) -> web.Response:
    """`GET /health/live`: answers while the event loop turns, and is the one call that needs no key."""
    return json_answer(Alive(auth=request.app[DOOR].auth).model_dump_json())


async def snapshot(request: web.Request) -> web.Response:
    """`GET /snapshot`: what the screen shows, as PNG, or as JPEG when `?format=jpeg` or `Accept` asks for it."""
    image_format = _image_format(request)
    try:
        async with asyncio.timeout(SNAPSHOT_TIMEOUT_S):
            picture = await request.app[STAGE].snapshot(image_format)
    except TimeoutError as error:
        raise PlayerUnavailableError(
            f"The display did not answer within {SNAPSHOT_TIMEOUT_S:g} s. See /health; restart the display if it hangs."
        ) from error
    return web.Response(
        body=picture,
        content_type=f"image/{image_format}",
        headers={"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"},
    )


def _image_format(request: web.Request) -> ImageFormat:
    match request.query.get("format", "").strip().lower():
        case "png":
            return "png"
        case "jpeg" | "jpg":
            return "jpeg"
        case "":
            wants_jpeg = preference(request, "image/jpeg") > preference(request, "image/png")
            return "jpeg" if wants_jpeg else "png"
    message = "must be png or jpeg"
    raise InvalidRequestError(f"format {message}.", (FieldError("format", message),))
