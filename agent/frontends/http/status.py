"""The calls that look: status and health."""

from __future__ import annotations

from aiohttp import web

from agent.frontends.http.app_keys import (
    CAMERAS,
    CASTING,
    DEVICE,
    DLNA,
    ESPHOME,
    IN_FORCE,
    PLAYERS,
    REPORTING,
    STAGE,
    STORAGE,
    TASKS,
    TOLD,
)
from agent.frontends.http.cache import CACHE
from agent.frontends.http.guard import GATE
from agent.frontends.http.health import Alive, HealthAnswer
from agent.frontends.http.responses import SettingsAnswer, StatusAnswer
from cast_http.negotiate import json_answer


async def status(request: web.Request) -> web.Response:
    """`GET /status`: the sessions that are on or wait, and the one that ended last."""
    return json_answer(status_answer(request.app).model_dump_json())


def status_answer(app: web.Application) -> StatusAnswer:
    """The current status."""
    casting = app[CASTING]
    beside = (app[REPORTING](), app[TOLD](), app[ESPHOME](), app[DLNA]())
    return StatusAnswer.of(casting.snapshot(), app[DEVICE], casting.volume, casting.screen_is_on, *beside)


async def health(request: web.Request) -> web.Response:
    """`GET /health`: the checks of the parts of the agent, and what to do if one fails."""
    app = request.app
    seen = (app[CASTING].snapshot(), app[STAGE].health, app[PLAYERS].health)
    answer = HealthAnswer.of(
        *seen,
        tasks=app[TASKS](),
        storage=app[STORAGE](),
        cache=app[CACHE].health,
        cameras=app[CAMERAS](),
        esphome=app[ESPHOME](),
        dlna=app[DLNA](),
    )
    return json_answer(answer.model_dump_json())


async def settings(request: web.Request) -> web.Response:
    """`GET /settings`: those in force that a reload can change."""
    return json_answer(SettingsAnswer.model_validate({"settings": request.app[IN_FORCE]()}).model_dump_json())


async def live(request: web.Request) -> web.Response:
    """`GET /health/live`: answers while the event loop turns, and is the one call that needs no key."""
    return json_answer(Alive(auth=request.app[GATE].auth).model_dump_json())
