"""Errors as a caller sees them: RFC 9457 members, a stable code and the fields."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from http import HTTPStatus
from typing import Any, Final

from aiohttp import web
from aiohttp.web import BaseRequest
from pydantic import BaseModel, Field

from cast_http.body import BODY_LIMIT
from cast_http.fields import FieldError
from cast_http.negotiate import json_answer, preference


class HttpCode(StrEnum):
    """The codes of errors that HTTP itself has; every service has them among its own."""

    INVALID_REQUEST = "invalid_request"
    NOT_FOUND = "not_found"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    PAYLOAD_TOO_LARGE = "payload_too_large"
    TIMED_OUT = "timed_out"
    INTERNAL = "internal"


_PHRASES: Final = {413: "Request Entity Too Large", 414: "Request-URI Too Long", 422: "Unprocessable Entity"}
"""The phrases that Python 3.13 renamed: the answer does not depend on the version of Python. All others are
HTTPStatus's."""


class FieldProblem(BaseModel):
    """One thing wrong with one field."""

    field: str = Field(description="Empty when it is the body as a whole.")
    message: str


class ProblemBase(BaseModel):
    """The members of every error (RFC 9457). A service narrows `code`, and adds members of its own."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    code: str
    errors: list[FieldProblem]


class Problems:
    """Makes the error answers of one service.

    `statuses` is its one table from code to HTTP, `members` are what it adds to every problem, and `retry_after_s` is
    said with 429 and 503 when nobody knows better.
    """

    def __init__(
        self,
        statuses: Mapping[Any, int],
        *,
        members: Callable[[BaseRequest, int], Mapping[str, str]],
        retry_after_s: float,
    ) -> None:
        self._statuses: Final[Mapping[str, int]] = statuses
        self._members = members
        self._retry_after_s = retry_after_s

    def answer(
        self,
        request: BaseRequest,
        code: StrEnum,
        detail: str,
        *,
        errors: Iterable[FieldError] = (),
        status: int | None = None,
        retry_after_s: float | None = None,
        members: Mapping[str, object] | None = None,
    ) -> web.Response:
        """An error answer, with `members` of its own. `status` is given only where HTTP itself has a finer word than
        the code's own status, `retry_after_s` where somebody has said when to try again."""
        status = self._statuses[code] if status is None else status
        body: dict[str, Any] = {
            "type": "about:blank",
            "title": (title := phrase(status)),
            "status": status,
            "detail": detail,
            "instance": request.rel_url.raw_path,
            "code": code.value,
            "errors": [{"field": error.field, "message": error.message} for error in errors],
            **self._members(request, status),
            **(members or {}),
        }
        # Home Assistant parses an answer only when its type is exactly application/json.
        wants_problem = preference(request, "application/problem+json") > 0
        answer = json_answer(
            json.dumps(body),
            status=status,
            content_type="application/problem+json" if wants_problem else "application/json",
        )
        answer.set_status(status, title)
        if status in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE):
            wait_s = self._retry_after_s if retry_after_s is None else retry_after_s
            answer.headers["Retry-After"] = str(max(1, math.ceil(wait_s)))
        return answer

    def of_http(self, request: web.Request, error: web.HTTPException) -> web.Response:
        """The answer for an error of aiohttp's own: unknown path, wrong method, body too large and the like."""
        match error:
            case web.HTTPNotFound():
                return self.answer(
                    request, HttpCode.NOT_FOUND, "There is nothing here. GET /openapi.json lists the calls."
                )
            case web.HTTPMethodNotAllowed():
                allow = ", ".join(sorted(error.allowed_methods))
                detail = f"This call takes {allow}, not {request.method[:20]}."
                answer = self.answer(request, HttpCode.METHOD_NOT_ALLOWED, detail)
                answer.headers["Allow"] = allow
                return answer
            case web.HTTPRequestEntityTooLarge():
                limit = request.get(BODY_LIMIT, request.client_max_size)
                shown = f"{limit // 1024} KiB" if limit >= 1024 else f"{limit} bytes"
                detail = f"The body is too large: at most {shown} are read."
                answer = self.answer(request, HttpCode.PAYLOAD_TOO_LARGE, detail)
                # The rest of the body would have to be read first; a new connection is cheaper for both.
                answer.force_close()
                return answer
            case web.HTTPGatewayTimeout():
                return self.answer(request, HttpCode.TIMED_OUT, error.text or error.reason)
        code = HttpCode.INTERNAL if isinstance(error, web.HTTPServerError) else HttpCode.INVALID_REQUEST
        return self.answer(request, code, error.text or error.reason, status=error.status)

    def of_broken(self, request: BaseRequest, status: int) -> web.Response:
        """The answer to bytes that are not HTTP (below 500), or when the application itself broke."""
        if status < HTTPStatus.INTERNAL_SERVER_ERROR:
            detail = "The request is not valid HTTP: its first line or its headers are broken or too long."
            answer = self.answer(request, HttpCode.INVALID_REQUEST, detail, status=status)
        else:
            detail = "The service failed; this is a bug. See the log."
            answer = self.answer(request, HttpCode.INTERNAL, detail)
        answer.force_close()
        return answer


def phrase(status: int) -> str:
    """The reason phrase of a status."""
    return _PHRASES.get(status) or HTTPStatus(status).phrase
