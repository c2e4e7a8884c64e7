"""Errors as a caller sees them: RFC 9457 members, our code and the fields. Here is the one table from code to HTTP."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Any, Final

from aiohttp import web
from aiohttp.web import BaseRequest

from agent.errors import AgentError, FieldError, InvalidRequestError
from agent.frontends.http.app_keys import REQUEST_ID, SESSION_ID
from agent.frontends.http.negotiate import json_answer, preference
from agent.types import ErrorCode

HTTP_STATUS: Final[Mapping[ErrorCode, int]] = MappingProxyType(
    {
        ErrorCode.INVALID_REQUEST: 422,
        ErrorCode.NOT_FOUND: 404,
        ErrorCode.SESSION_NOT_FOUND: 404,
        ErrorCode.METHOD_NOT_ALLOWED: 405,
        ErrorCode.INVALID_TRANSITION: 409,
        ErrorCode.REPLACED: 409,
        ErrorCode.PAYLOAD_TOO_LARGE: 413,
        ErrorCode.TOO_MANY_REQUESTS: 429,
        ErrorCode.TOO_MANY_CLIENTS: 503,
        ErrorCode.NOT_SUPPORTED: 501,
        ErrorCode.STREAM_NOT_FOUND: 404,
        ErrorCode.CENTRAL_UNAVAILABLE: 503,
        ErrorCode.PRESET_NOT_FOUND: 404,
        ErrorCode.PRESET_BROKEN: 409,
        ErrorCode.PRESET_READ_ONLY: 403,
        ErrorCode.PRESET_CONFLICT: 409,
        ErrorCode.STORAGE_UNAVAILABLE: 507,
        ErrorCode.INTERNAL: 500,
        ErrorCode.UNAUTHORIZED: 401,
        ErrorCode.PROTECTED_MODE: 403,
        ErrorCode.FORBIDDEN_ORIGIN: 403,
        ErrorCode.FORBIDDEN_HOST: 403,
        ErrorCode.PLAYER_UNAVAILABLE: 503,
        ErrorCode.PLAYER_TIMEOUT: 504,
        ErrorCode.MEDIA_NOT_FOUND: 502,
        ErrorCode.MEDIA_UNAUTHORIZED: 502,
        ErrorCode.MEDIA_UNSUPPORTED: 502,
        ErrorCode.MEDIA_NETWORK: 502,
        ErrorCode.MEDIA_DECODE: 502,
        ErrorCode.MEDIA_STALLED: 502,
        ErrorCode.MEDIA_FORBIDDEN: 502,
    }
)

_PHRASES: Final = {413: "Request Entity Too Large", 414: "Request-URI Too Long", 422: "Unprocessable Entity"}
"""Those that Python 3.13 renamed: what is answered does not depend on the Python. The rest is HTTPStatus's."""

RETRY_AFTER_S: Final = 5
"""The display and the spare player are looked at every few seconds: sooner there is nothing new to learn."""


def problem(
    request: BaseRequest,
    code: ErrorCode,
    detail: str,
    *,
    errors: tuple[FieldError, ...] = (),
    status: int | None = None,
    retry_after_s: float | None = None,
    **members: object,
) -> web.Response:
    """An error answer, with `members` of its own. `status` is given only where HTTP itself has a finer word than the
    code's own status, `retry_after_s` where somebody has said when to try again.

    It names the session that the request has started or changed, so a caller who waits knows which start failed.
    """
    status = HTTP_STATUS[code] if status is None else status
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": (title := _PHRASES.get(status) or HTTPStatus(status).phrase),
        "status": status,
        "detail": detail,
        "instance": request.rel_url.raw_path,
        "code": code.value,
        "errors": [{"field": error.field, "message": error.message} for error in errors],
        **members,
    }
    if (session_id := request.get(SESSION_ID)) is not None:
        body["session_id"] = session_id
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR and (request_id := request.get(REQUEST_ID)) is not None:
        body["request_id"] = request_id
    # Home Assistant parses an answer only when its type is exactly application/json.
    wants_problem = preference(request, "application/problem+json") > 0
    answer = json_answer(
        json.dumps(body),
        status=status,
        content_type="application/problem+json" if wants_problem else "application/json",
    )
    answer.set_status(status, title)
    if status in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE):
        answer.headers["Retry-After"] = str(math.ceil(retry_after_s or RETRY_AFTER_S))
    return answer


def problem_of(request: BaseRequest, error: AgentError, **members: object) -> web.Response:
    """The answer for an error that was raised on purpose, with `members` of its own."""
    failure = error.failure
    errors = error.errors if isinstance(error, InvalidRequestError) else ()
    after_s = failure.retry_after_s
    return problem(request, failure.code, failure.message, errors=errors, status=None, retry_after_s=after_s, **members)


def problem_of_http(request: web.Request, error: web.HTTPException) -> web.Response:
    """The answer for an error of aiohttp's own: unknown path, wrong method, body too large and the like."""
    match error:
        case web.HTTPNotFound():
            detail = f"There is nothing here. The calls are: {_calls(request.app)}."
            return problem(request, ErrorCode.NOT_FOUND, detail)
        case web.HTTPMethodNotAllowed():
            allow = ", ".join(sorted(error.allowed_methods))
            detail = f"This call takes {allow}, not {request.method[:20]}."
            answer = problem(request, ErrorCode.METHOD_NOT_ALLOWED, detail)
            answer.headers["Allow"] = allow
            return answer
        case web.HTTPRequestEntityTooLarge():
            detail = f"The body is too large: at most {request.client_max_size // 1024} KiB are read."
            answer = problem(request, ErrorCode.PAYLOAD_TOO_LARGE, detail)
            # What is left of the body would have to be read first; a new connection is cheaper for both.
            answer.force_close()
            return answer
        case web.HTTPServerError():
            return problem(request, ErrorCode.INTERNAL, error.text or error.reason, status=error.status)
    return problem(request, ErrorCode.INVALID_REQUEST, error.text or error.reason, status=error.status)


def _calls(app: web.Application) -> str:
    calls = {
        f"{route.method} {route.resource.canonical}"
        for route in app.router.routes()
        if route.resource is not None and route.method != "HEAD"
    }
    return ", ".join(sorted(calls, key=lambda call: call.split()[1]))
