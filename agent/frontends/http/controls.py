"""The calls that work on what is on: pause, resume, seek, reload, volume, screen."""

from __future__ import annotations

from aiohttp import web

from agent.frontends.http.app_keys import CASTING, SESSION_ID
from agent.frontends.http.body import read_form
from agent.frontends.http.requests import NoBody, ScreenBody, SeekBody, VolumeBody
from agent.frontends.http.responses import Controlled, ScreenSet, VolumeSet
from agent.snapshot import SessionSnapshot
from cast_http.negotiate import json_answer


async def pause(request: web.Request) -> web.Response:
    """`POST /pause`: pauses the current session. Succeeds if it is paused already."""
    return await _pause(request, on=True)


async def resume(request: web.Request) -> web.Response:
    """`POST /resume`: resumes the current session. Succeeds if it is not paused."""
    return await _pause(request, on=False)


async def seek(request: web.Request) -> web.Response:
    """`POST /seek`: moves the current session to another position."""
    wish = await read_form(request, SeekBody)
    session = await request.app[CASTING].seek(wish.position)
    return json_answer(controlled(request, session).model_dump_json())


async def reload(request: web.Request) -> web.Response:
    """`POST /reload`: the page that is on is loaded anew, and stays until the new one has painted."""
    await read_form(request, NoBody)
    return json_answer(controlled(request, request.app[CASTING].reload()).model_dump_json())


async def volume(request: web.Request) -> web.Response:
    """`POST /volume`: the volume of the device, also when nothing is on; answers with both of its parts."""
    wish = await read_form(request, VolumeBody)
    now = await request.app[CASTING].set_volume(wish.volume_level, wish.muted)
    return json_answer(VolumeSet.of(now).model_dump_json())


async def screen(request: web.Request) -> web.Response:
    """`POST /screen`: switches the screen on, or ends everything and switches it off."""
    wish, casting = await read_form(request, ScreenBody), request.app[CASTING]
    await casting.switch_screen(wish.on)
    return json_answer(ScreenSet(on=casting.screen_is_on).model_dump_json())


async def _pause(request: web.Request, *, on: bool) -> web.Response:
    await read_form(request, NoBody)
    session = await request.app[CASTING].pause(on)
    return json_answer(controlled(request, session).model_dump_json())


def controlled(request: web.Request, session: SessionSnapshot) -> Controlled:
    """The answer of a call that works on the current session. The log line of the request names the session."""
    request[SESSION_ID] = session.session_id
    return Controlled(session_id=session.session_id, state=session.state, position=session.position)
