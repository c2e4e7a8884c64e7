"""The call of a hook: one address that does one thing, for whoever knows it."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

from aiohttp import web
from pydantic import BaseModel

from agent.access.gate import GateError
from agent.access.hooks import Hook, HookAction, Hooks
from agent.casting.forms import PlayForm
from agent.errors import NotSupportedError
from agent.frontends.http.app_keys import CALLER, CASTING, SESSION_ID
from agent.frontends.http.controls import controlled
from agent.frontends.http.guard import GATE, ends
from agent.frontends.http.requests import HookQuery
from agent.frontends.http.responses import Started, Stopped
from agent.types import SessionId
from cast_http.negotiate import json_answer

HOOKS: Final = web.AppKey[Hooks]("hooks")

_PURPOSES: Final = ("Purpose", "X-Purpose", "Sec-Purpose", "X-Moz")
"""Headers by which browsers say that nobody has asked for an address yet."""

_PREVIEWERS: Final = re.compile(
    r"facebookexternalhit|facebot|whatsapp|telegrambot|twitterbot|slackbot|slack-imgproxy|discordbot|linkedinbot|"
    r"skypeuripreview|microsoftpreview|viber|redditbot|pinterest|embedly|mastodon|applebot|googlebot|bingbot|preview",
    re.IGNORECASE,
)
"""Names in the User-Agent of programs that look at an address because somebody has sent it to somebody."""


async def call_hook(request: web.Request) -> web.Response:
    """`GET` or `POST /hook/{secret}`: performs the action of the hook. A body is ignored."""
    _check_meant(request)
    hook = _admitted(request)
    request[CALLER] = f"hook {hook.name}"
    casting = request.app[CASTING]
    answer: BaseModel
    match hook.action:
        case HookAction.START:
            answer = Started(status="success", session_id=await _start(request, hook))
        case HookAction.STOP:
            answer = Stopped(message="Stream stopped" if await casting.stop() else "No active stream")
        case HookAction.PAUSE | HookAction.RESUME:
            answer = controlled(request, await casting.pause(hook.action is HookAction.PAUSE))
    return json_answer(answer.model_dump_json(exclude_none=True))


async def _start(request: web.Request, hook: Hook) -> SessionId:
    # Devices add parameters of their own, such as temp=21; those that would be overlooked are refused.
    given = {name: value for name, value in request.query.items() if name in PlayForm.names()}
    wish = replace(HookQuery.parse(given).wish(), preset=hook.preset)

    def accepted(session_id: SessionId) -> None:
        request[SESSION_ID] = session_id

    return (await request.app[CASTING].start(wish, accepted=accepted)).session_id


def _admitted(request: web.Request) -> Hook:
    peer, _ = ends(request)
    try:
        return request.app[HOOKS].admit(request.match_info["secret"], peer=peer)
    except GateError as error:
        error.first = request.app[GATE].is_first(peer, error.failure.code)
        raise


def _check_meant(request: web.Request) -> None:
    """Raise NotSupportedError for a preview or a prefetch of the address. An error is not cached as the answer to the
    real call."""
    looks = request.method == "HEAD" or any(name in request.headers for name in _PURPOSES)
    if looks or _PREVIEWERS.search(request.headers.get("User-Agent", "")):
        raise NotSupportedError(
            "A hook does something, so it has no preview: nothing was done. Call it with GET or POST."
        )
