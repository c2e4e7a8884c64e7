"""The frame of every request: its id, its line in the log, and the conversion of errors into answers."""

from __future__ import annotations

import asyncio
import os
import re
import time
from typing import Any, Final
from urllib.parse import unquote

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from central.core.errors import CentralError, UnavailableError
from central.core.http.live import BEGAN
from central.core.http.metrics import Metrics
from central.core.http.problems import PROBLEMS, REQUEST_ID, problem, problem_of
from central.core.ids import is_id
from central.core.log import HIDDEN, redact
from central.core.secrets import TOKEN_PATTERN, as_code
from central.core.types import ErrorCode

log = structlog.stdlib.get_logger(__name__)

CALLER: Final = web.RequestKey("caller", str)
"""Role and id of who is let in."""

OPERATION: Final = web.RequestKey("operation", str)
"""The name of what is called."""

_SAFE_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
_PATH_LIMIT: Final = 120
_PARAMETER: Final = re.compile(r"\{(\w+)\}")
_QUIET: Final = frozenset({"health", "metrics"})


def around_request(metrics: Metrics) -> Middleware:
    """The outermost layer: gives the request its id, answers every error as a problem, writes one log line."""
    lines = log.bind()  # once: what is bound for each line takes longer than to write it

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        began = time.perf_counter()
        given = request.headers.get("X-Request-ID", "")
        request_id = given if _SAFE_ID.fullmatch(given) and not TOKEN_PATTERN.search(given) else os.urandom(16).hex()
        request[REQUEST_ID] = request_id
        structlog.contextvars.bind_contextvars(request_id=request_id)
        error: Exception | None = None
        answer: web.StreamResponse | None = None
        try:
            try:
                # From Python 3.12 on aiohttp runs a request at once (an eager task), and so everything that a caller
                # has sent ahead in one go: all other callers would wait that long.
                await asyncio.sleep(0)
                answer = await handler(request)
            except CentralError as failure:
                error = failure
                answer = problem_of(request, failure)
            except web.HTTPException as failure:
                answer = PROBLEMS.of_http(request, failure)
            except Exception as failure:
                error = failure
                log.exception("request_failed", method=request.method[:20], path=_path(request))
                detail = f"The service failed; this is a bug. See the log for {request_id}."
                answer = problem(request, ErrorCode.INTERNAL, detail)
            answer.headers["X-Request-ID"] = request_id
            return answer
        finally:
            # Also for a request that was cancelled (no answer): the service is going down.
            ended = time.perf_counter()
            operation = request.get(OPERATION, "unknown")
            metrics.count(operation, answer.status if answer else 0, request.get(BEGAN, ended) - began)
            _write(lines, request, operation, answer, error, ended - began)
            structlog.contextvars.unbind_contextvars("request_id")

    return middleware


def _write(
    lines: structlog.stdlib.BoundLogger,
    request: web.Request,
    operation: str,
    answer: web.StreamResponse | None,
    error: Exception | None,
    seconds: float,
) -> None:
    extra: dict[str, Any] = {"caller": request[CALLER]} if CALLER in request else {}
    if isinstance(error, CentralError):
        extra["code"] = getattr(error, "reason", error.code).value
    quiet = operation in _QUIET or isinstance(error, UnavailableError)
    (lines.debug if quiet else lines.info)(
        "request_completed",
        method=request.method[:20],
        path=_path(request),
        status=answer.status if answer else None,
        duration_ms=round(seconds * 1000, 1),
        peer=request.remote,
        **extra,
    )


def _path(request: web.Request) -> str:
    """The path as in the route, with ids and without other input of the caller, such as a join code. An unknown path is
    decoded and redacted first, and cut then."""
    resource = request.match_info.route.resource
    if resource is not None:
        if "{" not in resource.canonical:
            return resource.canonical
        known = {name: value for name, value in request.match_info.items() if is_id(value)}
        return _PARAMETER.sub(lambda match: known.get(match[1], match[0]), resource.canonical)
    path = unquote(request.rel_url.raw_path)
    if "@" in path:
        return "[hidden: may hold a password]"
    segments = (HIDDEN if as_code(segment) else segment for segment in redact(path).split("/"))
    return "/".join(segments)[:_PATH_LIMIT]
