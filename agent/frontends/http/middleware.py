"""The frame of every request: its id, its line in the log, and the conversion of errors into answers."""

from __future__ import annotations

import asyncio
import re
import time
import uuid
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import unquote

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler

from agent.access.gate import GateError
from agent.errors import AgentError
from agent.frontends.http.app_keys import CALLER, REQUEST_ID, SESSION_ID
from agent.frontends.http.problems import PROBLEMS, problem, problem_of
from agent.media.redaction import redact
from agent.types import ErrorCode

log = structlog.get_logger(__name__)

_SAFE_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
_OFTEN: Final = ("/health/live", "/metrics", "/snapshot", "/page/{name}")
"""The calls that monitors make, and each open page once a second: logged only at the debug level, unless they fail."""
_PATH_LIMIT: Final = 120
"""Characters of a path that the log keeps: all of ours are shorter."""


@web.middleware
async def around_request(request: web.Request, handler: Handler) -> web.StreamResponse:
    """The outermost layer: gives the request its id, answers every error as a problem, writes one log line."""
    began = time.monotonic()
    request_id = _request_id(request)
    request[REQUEST_ID] = request_id
    with structlog.contextvars.bound_contextvars(request_id=request_id):
        status: int | None = None
        code: ErrorCode | None = None
        refused: GateError | None = None
        try:
            try:
                # From Python 3.12 on aiohttp begins a request at once (eager tasks), and so answers all that a caller
                # has sent ahead in one go: everybody else, a signal too, would wait for seconds.
                await asyncio.sleep(0)
                answer = await handler(request)
            except GateError as error:
                code, refused = error.failure.code, error
                answer = problem_of(request, error)
                answer.headers.update(error.headers)
            except AgentError as error:
                code = error.failure.code
                answer = problem_of(request, error)
            except web.HTTPException as error:
                answer = PROBLEMS.of_http(request, error)
            except Exception:
                code = ErrorCode.INTERNAL
                log.exception("request_failed", method=redact(request.method)[:20], path=_path(request))
                answer = problem(request, code, _internal_detail(request_id))
            status = answer.status
            answer.headers["X-Request-ID"] = request_id
            return answer
        finally:
            # Also for a request that was cancelled (status None): the daemon is going down.
            write = log.info
            if refused is not None:
                write = log.warning if refused.first else log.debug
            elif code is None and _path(request) in _OFTEN:
                write = log.debug
            _log_line(write, request, status=status, code=code, duration_ms=(time.monotonic() - began) * 1000)


def _request_id(request: web.Request) -> str:
    given = request.headers.get("X-Request-ID", "")
    return given if _SAFE_ID.fullmatch(given) else uuid.uuid4().hex


def _log_line(
    write: Callable[..., object],
    request: web.Request,
    *,
    status: int | None,
    code: ErrorCode | None,
    duration_ms: float,
) -> None:
    extra: dict[str, Any] = {}
    if code is not None:
        extra["code"] = code.value
    if (session_id := request.get(SESSION_ID)) is not None:
        extra["session_id"] = session_id
    if (caller := request.get(CALLER)) is not None:
        extra["caller"] = caller
    write(
        "request_completed",
        method=redact(request.method)[:20],
        path=_path(request),
        status=status,
        duration_ms=round(duration_ms, 1),
        peer=request.remote,
        **extra,
    )


def _path(request: web.Request) -> str:
    """The path of the route; for an unknown path the path without its query. Credentials in the path, percent-encoded
    or not, never get into the log, not even in part."""
    resource = request.match_info.route.resource
    if resource is not None:
        return resource.canonical
    path = unquote(unquote(request.rel_url.raw_path))
    return "[hidden: may hold a password]" if "@" in path else redact(path)[:_PATH_LIMIT]


def _internal_detail(request_id: str) -> str:
    return (
        "Something went wrong inside the agent; this is a bug. The current stream goes on. "
        f"The log has the details under the request id {request_id}."
    )
