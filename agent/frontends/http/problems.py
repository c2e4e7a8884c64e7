"""Errors of the agent as a caller sees them. Here is the one table from code to HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Final

from aiohttp import web
from aiohttp.web import BaseRequest

from agent.errors import AgentError, InvalidRequestError
from agent.frontends.http.app_keys import REQUEST_ID, SESSION_ID
from agent.frontends.http.preset_responses import PresetAnswer
from agent.media.redaction import redact
from agent.types import ErrorCode
from cast_http.problems import ProblemBase, Problems

HTTP_STATUS: Final[Mapping[ErrorCode, int]] = MappingProxyType(
    {
        ErrorCode.INVALID_REQUEST: 422,
        ErrorCode.NOT_FOUND: 404,
        ErrorCode.SESSION_NOT_FOUND: 404,
        ErrorCode.METHOD_NOT_ALLOWED: 405,
        ErrorCode.INVALID_TRANSITION: 409,
        ErrorCode.REPLACED: 409,
        ErrorCode.PAYLOAD_TOO_LARGE: 413,
        ErrorCode.TIMED_OUT: 504,
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
        ErrorCode.PAGE_LOGIN: 502,
        ErrorCode.SOUND_LOST: 502,
    }
)

RETRY_AFTER_S: Final = 5
"""The display and the spare player are looked at every few seconds: sooner there is nothing new to learn."""


class Problem(ProblemBase):
    """The body of every error (RFC 9457)."""

    code: ErrorCode
    session_id: str | None = None
    """The session that the request has started or changed, so a caller who waits knows which start failed."""
    request_id: str | None = None
    """The id of a request that hit a bug of the agent: the log has more under it."""
    preset: PresetAnswer | None = None
    """The preset as it is now, when it is another one than the caller knows."""


def _members(request: BaseRequest, status: int) -> dict[str, str]:
    # The path of a hook is a secret, and a device may log what it is answered.
    found = {"instance": redact(request.rel_url.raw_path)}
    if (session_id := request.get(SESSION_ID)) is not None:
        found["session_id"] = session_id
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR and (request_id := request.get(REQUEST_ID)) is not None:
        found["request_id"] = request_id
    return found


PROBLEMS: Final = Problems(HTTP_STATUS, members=_members, retry_after_s=RETRY_AFTER_S)

problem: Final = PROBLEMS.answer


def problem_of(request: BaseRequest, error: AgentError, **members: object) -> web.Response:
    """The answer for an error that was raised on purpose, with `members` of its own."""
    failure = error.failure
    errors = error.errors if isinstance(error, InvalidRequestError) else ()
    return problem(
        request,
        failure.code,
        failure.message,
        errors=errors,
        retry_after_s=failure.retry_after_s,
        members=members,
    )
