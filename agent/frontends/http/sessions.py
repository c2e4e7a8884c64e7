"""The calls that home automation makes: start a stream, change it, stop it."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from agent.errors import FieldError, InvalidRequestError
from agent.frontends.http.app_keys import DEFAULT_QUALITY, POLICY, SESSION_ID, TRACKER
from agent.frontends.http.body import read_object, single_parameters
from agent.frontends.http.negotiate import json_answer
from agent.frontends.http.requests import StartBody, StopBody, parse_wait
from agent.frontends.http.responses import Started, Stopped
from agent.types import Quality, SessionChange, SessionId, StartRequest, StreamRef

LOCATED_S: Final = 2.5
"""The central API is asked for 2 s at most."""


async def start(request: web.Request) -> web.Response:
    """`POST /start`: answers when the start or the change is accepted, or with `?wait=<seconds>` at the first frame.
    A stream of the central API is accepted when it is known where it is.

    A caller that waits and hangs up changes nothing: the session belongs to the tracker.
    """
    parameters = single_parameters(request, known=("wait",))
    wait_s = parse_wait(parameters["wait"]) if "wait" in parameters else None
    wish = await _start_body(request)
    url = None if wish.url is None else await request.app[POLICY].check(wish.url)
    tracker = request.app[TRACKER]
    if wish.session_id is not None:
        session_id = tracker.change(SessionId(wish.session_id), _change(wish, url)).session_id
    else:
        session_id = tracker.start(_start(wish, url, default_quality=request.app[DEFAULT_QUALITY]()))
    request[SESSION_ID] = session_id
    if wait_s is None:
        if wish.session_id is None and url is None:
            await tracker.located(session_id, LOCATED_S)
        return _started(Started(status="success", session_id=session_id))
    snapshot = await tracker.first_frame(session_id, wait_s)
    if snapshot is None:
        return _started(Started(status="pending", session_id=session_id))
    return _started(Started(status="success", session_id=session_id, time_to_first_frame=snapshot.time_to_first_frame))


async def stop(request: web.Request) -> web.Response:
    """`POST /stop`: 200 also when nothing was on, because what the caller wants is so."""
    # `POST /stop?session_id=...` would otherwise end another session than the one that is meant.
    single_parameters(request, known=())
    wish = StopBody.parse(await read_object(request, example=StopBody.EXAMPLE) or {})
    if wish.session_id is not None and wish.all:
        message = "cannot be given together with all"
        raise InvalidRequestError(f"session_id {message}.", (FieldError("session_id", message),))
    session_id = None if wish.session_id is None else SessionId(wish.session_id)
    ended = await request.app[TRACKER].stop(session_id, everything=wish.all)
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


def _start(wish: StartBody, url: str | None, *, default_quality: Quality) -> StartRequest:
    return StartRequest(
        url=url or "",
        join=None if url is not None else StreamRef(code=wish.code, stream_id=wish.stream_id),
        quality=default_quality if wish.quality is None else wish.quality,
        duration=wish.duration,
        title=wish.title,
        volume=wish.volume,
        muted=wish.muted,
        interrupt=wish.interrupt,
        position=wish.position,
        loop=wish.loop,
        refresh=wish.refresh,
    )


def _change(wish: StartBody, url: str | None) -> SessionChange:
    return SessionChange(url=url, duration=wish.duration, title=wish.title, volume=wish.volume, muted=wish.muted)


def _started(answer: Started) -> web.Response:
    return json_answer(answer.model_dump_json(exclude_none=True))
