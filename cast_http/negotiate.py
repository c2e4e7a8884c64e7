"""The content negotiation with a caller."""

from __future__ import annotations

from aiohttp import web
from aiohttp.web import BaseRequest


def preference(request: BaseRequest, media_type: str) -> float:
    """The weight that the `Accept` header gives to exactly this type, 0.0-1.0; 0.0 if it does not name the type."""
    best = 0.0
    for part in request.headers.get("Accept", "").split(","):
        name, *parameters = (piece.strip().lower() for piece in part.split(";"))
        if name == media_type:
            best = max(best, _weight(parameters))
    return best


def has_already(request: BaseRequest, tag: str) -> bool:
    """Return True if `If-None-Match` names this entity tag: the answer is 304 then."""
    return any(known.value in (tag, "*") for known in request.if_none_match or ())


def json_answer(text: str, *, status: int = 200, content_type: str = "application/json") -> web.Response:
    """JSON text as an answer. It tells of a moment, so nobody may keep it."""
    return web.Response(
        text=text,
        status=status,
        content_type=content_type,
        headers={"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"},
    )


def _weight(parameters: list[str]) -> float:
    for parameter in parameters:
        key, _, value = parameter.partition("=")
        if key.strip() == "q":
            try:
                weight = float(value)
            except ValueError:
                return 0.0
            return weight if 0.0 <= weight <= 1.0 else 0.0
    return 1.0
