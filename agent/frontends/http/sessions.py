"""The calls that home automation makes: start a stream, change it, stop it."""

from __future__ import annotations

from aiohttp import web

from agent.errors import FieldError, InvalidRequestError
from agent.frontends.http.app_keys import CASTING, SESSION_ID
from agent.frontends.http.body import read_form, read_object, single_parameters
from agent.frontends.http.requests import StartBody, StartQuery, StopBody, parse_wait
from agent.frontends.http.responses import Started, Stopped
from agent.types import SessionId
from cast_http.negotiate import json_answer


async def start(request: web.Request) -> web.Response:
    """`POST /start`: answers when the start or the change is accepted, or with `?wait=<seconds>` at the first frame.
    A stream of the central API is accepted when it is known where it is.

    A caller that waits and hangs up changes nothing: the session belongs to the tracker.
    """
    parameters = single_parameters(request, known=StartQuery.model_fields)
    wait_s = parse_wait(parameters["wait"]) if "wait" in parameters else None
    wish = await _start_body(request)

    def accepted(session_id: SessionId) -> None:
        request[SESSION_ID] = session_id

    answer = await request.app[CASTING].start(wish.wish(), wait_s=wait_s, accepted=accepted)
    shown = answer.first_frame
    started = Started(
        status="pending" if wait_s is not None and shown is None else "success",
        session_id=answer.session_id,
        time_to_first_frame=None if shown is None else shown.time_to_first_frame,
    )
    return json_answer(started.model_dump_json(exclude_none=True))


async def stop(request: web.Request) -> web.Response:
    """`POST /stop`: 200 also if nothing was on, because the result is what the caller wants."""
    wish = await read_form(request, StopBody)
    session_id = None if wish.session_id is None else SessionId(wish.session_id)
    ended = await request.app[CASTING].stop(session_id, everything=wish.all)
    if ended:
        message = "Stream stopped"
    elif session_id is None:
        message = "No active stream"
    else:
        message = "No active stream with this session_id; nothing was stopped"
    return json_answer(Stopped(message=message).model_dump_json())


async def _start_body(request: web.Request) -> StartBody:
    example = StartBody.EXAMPLE
    body = await read_object(request, example=example)
    if body is None:
        message = f"The body is empty. Send what to play, for example {example}."
        raise InvalidRequestError(message, (FieldError("url", f"is required, for example {example}"),))
    return StartBody.parse(body)
