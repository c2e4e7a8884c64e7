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
from pydantic import BaseModel, Field

from central.errors import CentralError, FieldError, InvalidRequestError, PublishRefusedError, TooManyRequestsError
from central.types import ErrorCode

HTTP_STATUS: Final[Mapping[ErrorCode, int]] = MappingProxyType(
    {
        ErrorCode.INVALID_REQUEST: 422,
        ErrorCode.NOT_FOUND: 404,
        ErrorCode.METHOD_NOT_ALLOWED: 405,
        ErrorCode.PAYLOAD_TOO_LARGE: 413,
        ErrorCode.TOO_MANY_REQUESTS: 429,
        ErrorCode.QUOTA_EXCEEDED: 429,
        ErrorCode.UNAUTHORIZED: 401,
        ErrorCode.FORBIDDEN: 403,
        ErrorCode.INTERNAL: 500,
        ErrorCode.DATABASE_UNAVAILABLE: 503,
        ErrorCode.DATABASE_FULL: 503,
        ErrorCode.OVERLOADED: 503,
        ErrorCode.DEVICE_NOT_FOUND: 404,
        ErrorCode.STREAM_NOT_FOUND: 404,
        ErrorCode.BROADCASTER_NOT_FOUND: 404,
        ErrorCode.STREAM_KEY_NOT_FOUND: 404,
        ErrorCode.NAME_IN_USE: 409,
        ErrorCode.STREAM_ENDED: 409,
        ErrorCode.NOT_CLAIMED: 409,
        # MediaMTX knows 200 and 401.
        ErrorCode.KEY_UNKNOWN: 401,
        ErrorCode.KEY_REVOKED: 401,
        ErrorCode.KEY_EXPIRED: 401,
        ErrorCode.KEY_IN_USE: 401,
        ErrorCode.PATH_IN_USE: 401,
        ErrorCode.PATH_NOT_ALLOWED: 401,
    }
)

_PHRASES: Final = {413: "Request Entity Too Large", 414: "Request-URI Too Long", 422: "Unprocessable Entity"}
"""Those that Python 3.13 renamed: what is answered does not depend on the Python. The rest is HTTPStatus's."""

RETRY_AFTER_S: Final = 5
"""A restart of PostgreSQL takes about that long."""

REQUEST_ID: Final = web.RequestKey("request_id", str)


class FieldProblem(BaseModel):
    """One thing wrong with one field."""

    field: str = Field(description="Empty when it is the body as a whole.")
    message: str


class Problem(BaseModel):
    """What every error looks like (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    code: ErrorCode
    errors: list[FieldProblem]
    request_id: str


def problem(
    request: BaseRequest,
    code: ErrorCode,
    detail: str,
    *,
    errors: tuple[FieldError, ...] = (),
    status: int | None = None,
    retry_after_s: float = RETRY_AFTER_S,
) -> web.Response:
    """An error answer. `status` is given only where HTTP itself has a finer word than the code's own status."""
    status = HTTP_STATUS[code] if status is None else status
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": (title := phrase(status)),
        "status": status,
        "detail": detail,
        "instance": request.rel_url.raw_path,
        "code": code.value,
        "errors": [{"field": error.field, "message": error.message} for error in errors],
        "request_id": request.get(REQUEST_ID, ""),
    }
    wants_problem = "application/problem+json" in request.headers.get("Accept", "")
    answer = web.Response(
        text=json.dumps(body),
        status=status,
        reason=title,
        content_type="application/problem+json" if wants_problem else "application/json",
        headers={"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"},
    )
    if status == HTTPStatus.UNAUTHORIZED:
        answer.headers["WWW-Authenticate"] = "Bearer"
    if status in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE):
        answer.headers["Retry-After"] = str(max(1, math.ceil(retry_after_s)))
    return answer


def phrase(status: int) -> str:
    """What HTTP calls this status."""
    return _PHRASES.get(status) or HTTPStatus(status).phrase


def problem_of(request: BaseRequest, error: CentralError) -> web.Response:
    """The answer for an error that was raised on purpose."""
    code = error.reason if isinstance(error, PublishRefusedError) else error.code
    return problem(
        request,
        code,
        str(error),
        errors=error.errors if isinstance(error, InvalidRequestError) else (),
        retry_after_s=error.retry_after_s if isinstance(error, TooManyRequestsError) else RETRY_AFTER_S,
    )


def problem_of_http(request: web.Request, error: web.HTTPException) -> web.Response:
    """The answer for an error of aiohttp's own: unknown path, wrong method, body too large and the like."""
    match error:
        case web.HTTPNotFound():
            return problem(request, ErrorCode.NOT_FOUND, "There is nothing here. /openapi.json lists the calls.")
        case web.HTTPMethodNotAllowed():
            allow = ", ".join(sorted(error.allowed_methods))
            detail = f"This call takes {allow}, not {request.method[:20]}."
            answer = problem(request, ErrorCode.METHOD_NOT_ALLOWED, detail)
            answer.headers["Allow"] = allow
            return answer
        case web.HTTPRequestEntityTooLarge():
            answer = problem(request, ErrorCode.PAYLOAD_TOO_LARGE, "The body is too large for this call.")
            answer.force_close()  # what is left of the body would have to be read first
            return answer
    return problem(request, ErrorCode.INVALID_REQUEST, error.text or error.reason, status=error.status)
