"""The calls about what is kept to be played again: presets, and what was played lately."""

from __future__ import annotations

import re
from typing import Any, Final

from aiohttp import web

from agent.casting.forms import PresetForm
from agent.casting.presets import Preset
from agent.errors import FieldError, InvalidRequestError, PresetConflictError
from agent.frontends.http.app_keys import CASTING
from agent.frontends.http.body import read_form, read_object, single_parameters
from agent.frontends.http.preset_responses import PlayedAnswer, PresetAnswer, PresetsAnswer, RecentAnswer
from agent.frontends.http.problems import problem_of
from agent.frontends.http.requests import NewPreset, NoBody
from agent.frontends.http.responses import Done
from cast_http.negotiate import json_answer

_ETAG: Final = re.compile(r'(?:W/)?"([^"]*)"|([0-9a-f]+)')


async def list_presets(request: web.Request) -> web.Response:
    """`GET /presets`: all presets, with the problem of each that cannot be played."""
    single_parameters(request, known=())
    found = await request.app[CASTING].presets.all()
    return json_answer(PresetsAnswer.of(found).model_dump_json(exclude_none=True))


async def add_preset(request: web.Request) -> web.Response:
    """`POST /presets`: 201 with the preset; 409 `preset_conflict` when there is one of its id."""
    form = NewPreset.parse(await _body(request))
    try:
        preset = await request.app[CASTING].save_preset(form.preset(), recent=form.recent, session_id=form.session_id)
    except PresetConflictError as error:
        return _conflict(request, error)
    return _answer(preset, status=201)


async def change_preset(request: web.Request) -> web.Response:
    """`PATCH /presets/{id}`: changes the fields that the body has, and takes away those that are null. With `If-Match`
    409 `preset_conflict` when the preset is another one now."""
    try:
        preset = await request.app[CASTING].presets.change(
            request.match_info["id"], await _body(request), etag=_expected(request)
        )
    except PresetConflictError as error:
        return _conflict(request, error)
    return _answer(preset)


async def remove_preset(request: web.Request) -> web.Response:
    """`DELETE /presets/{id}`; with `If-Match` as `PATCH`."""
    await read_form(request, NoBody)
    try:
        await request.app[CASTING].presets.remove(request.match_info["id"], etag=_expected(request))
    except PresetConflictError as error:
        return _conflict(request, error)
    return json_answer(Done().model_dump_json())


async def list_recent(request: web.Request) -> web.Response:
    """`GET /recent`: the newest first."""
    single_parameters(request, known=())
    played = await request.app[CASTING].recent.all()
    return json_answer(RecentAnswer(recent=tuple(map(PlayedAnswer.of, played))).model_dump_json())


async def clear_recent(request: web.Request) -> web.Response:
    """`DELETE /recent`: forgets all of it."""
    await read_form(request, NoBody)
    await request.app[CASTING].recent.clear()
    return json_answer(Done().model_dump_json())


async def _body(request: web.Request) -> dict[str, Any]:
    single_parameters(request, known=())
    body = await read_object(request, example=PresetForm.EXAMPLE)
    if not body:
        message = f"The body is empty. Send the fields of the preset, for example {PresetForm.EXAMPLE}."
        raise InvalidRequestError(message, (FieldError("", message),))
    return body


def _expected(request: web.Request) -> str | None:
    """The ETag that the caller knows; None when it does not care."""
    header = request.headers.get("If-Match", "*").strip()
    if header == "*":
        return None
    match = _ETAG.fullmatch(header)
    return "" if match is None else match[1] or match[2] or ""  # one that is none matches nothing


def _answer(preset: Preset, *, status: int = 200) -> web.Response:
    answer = json_answer(PresetAnswer.of(preset).model_dump_json(exclude_none=True), status=status)
    answer.headers["ETag"] = f'"{preset.etag}"'
    return answer


def _conflict(request: web.Request, error: PresetConflictError) -> web.Response:
    """The problem, with the current preset."""
    current = error.current
    assert isinstance(current, Preset)
    answer = problem_of(request, error, preset=PresetAnswer.of(current).model_dump(mode="json", exclude_none=True))
    answer.headers["ETag"] = f'"{current.etag}"'
    return answer
