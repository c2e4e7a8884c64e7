"""Errors of the central API as a caller sees them. Here is the one table from code to HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Final

from aiohttp import web
from aiohttp.web import BaseRequest

from cast_http.problems import ProblemBase, Problems
from central.core.errors import CentralError, InvalidRequestError, PublishRefusedError, TooManyRequestsError
from central.core.types import ErrorCode

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
        ErrorCode.FORBIDDEN_ORIGIN: 403,
        ErrorCode.INTERNAL: 500,
        ErrorCode.DATABASE_UNAVAILABLE: 503,
        ErrorCode.DATABASE_FULL: 503,
        ErrorCode.OVERLOADED: 503,
        ErrorCode.TIMED_OUT: 504,
        ErrorCode.DEVICE_NOT_FOUND: 404,
        ErrorCode.STREAM_NOT_FOUND: 404,
        ErrorCode.BROADCASTER_NOT_FOUND: 404,
        ErrorCode.STREAM_KEY_NOT_FOUND: 404,
        ErrorCode.VIDEO_NOT_FOUND: 404,
        ErrorCode.JOB_NOT_FOUND: 404,
        ErrorCode.NAME_IN_USE: 409,
        ErrorCode.STREAM_ENDED: 409,
        ErrorCode.NOT_CLAIMED: 409,
        ErrorCode.WRONG_OFFSET: 409,
        ErrorCode.UPLOAD_IN_USE: 409,
        ErrorCode.UPLOAD_INCOMPLETE: 409,
        ErrorCode.WRONG_STATE: 409,
        ErrorCode.LIBRARY_QUOTA_EXCEEDED: 409,
        ErrorCode.LIBRARY_UNAVAILABLE: 503,
        ErrorCode.STORAGE_FULL: 507,
        # MediaMTX knows 200 and 401.
        ErrorCode.KEY_UNKNOWN: 401,
        ErrorCode.KEY_REVOKED: 401,
        ErrorCode.KEY_EXPIRED: 401,
        ErrorCode.KEY_IN_USE: 401,
        ErrorCode.PATH_IN_USE: 401,
        ErrorCode.PATH_NOT_ALLOWED: 401,
    }
)

RETRY_AFTER_S: Final = 5
"""A restart of PostgreSQL takes about that long."""

REQUEST_ID: Final = web.RequestKey("request_id", str)


class Problem(ProblemBase):
    """The body of every error (RFC 9457)."""

    code: ErrorCode
    request_id: str


def _members(request: BaseRequest, status: int) -> dict[str, str]:
    return {"request_id": request.get(REQUEST_ID, "")}


PROBLEMS: Final = Problems(HTTP_STATUS, members=_members, retry_after_s=RETRY_AFTER_S)

problem: Final = PROBLEMS.answer


def problem_of(request: BaseRequest, error: CentralError) -> web.Response:
    """The answer for an error that was raised on purpose."""
    answer = problem(
        request,
        error.reason if isinstance(error, PublishRefusedError) else error.code,
        str(error),
        errors=error.errors if isinstance(error, InvalidRequestError) else (),
        retry_after_s=error.retry_after_s if isinstance(error, TooManyRequestsError) else None,
    )
    if answer.status == HTTPStatus.UNAUTHORIZED:
        answer.headers["WWW-Authenticate"] = "Bearer"
    return answer
