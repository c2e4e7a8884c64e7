"""`GET /snapshot`: what the screen shows."""

from __future__ import annotations

import re
from typing import Annotated, Final, Literal

from aiohttp import ETag, web
from pydantic import BaseModel, Field

from agent.errors import FieldError, InvalidRequestError
from agent.stage.base import ImageFormat
from agent.stage.snapshots import MAX_AGE_LIMIT_S, Kind, Snapshots
from cast_http.negotiate import has_already, preference

WIDTHS: Final = range(16, 7681)
"""Pixels: from an icon to 8K."""

SNAPSHOTS: Final = web.AppKey[Snapshots]("snapshots")


class SnapshotQuery(BaseModel):
    """The query parameters of `GET /snapshot`."""

    format: Literal["png", "jpeg", "jpg"] | None = None
    width: Annotated[int, Field(ge=WIDTHS.start, lt=WIDTHS.stop)] | None = None
    """Pixels."""
    max_age: Annotated[int, Field(ge=0, le=MAX_AGE_LIMIT_S)] | None = None
    """Seconds that a picture which others asked for may be old."""


async def snapshot(request: web.Request) -> web.Response:
    """`GET /snapshot`: what the screen shows, as PNG, or as JPEG when `?format=jpeg` or `Accept` asks for it; `?width=`
    makes it smaller, `?max_age=` takes one that others have asked for so many seconds ago."""
    # Other parameters are passed over: pages and dashboards add one to every address, against caches.
    kind = Kind(_image_format(request), _whole(request, "width", WIDTHS.start, WIDTHS.stop - 1))
    max_age_s = _whole(request, "max_age", 0, MAX_AGE_LIMIT_S) or 0
    taken = await request.app[SNAPSHOTS].take(kind, max_age_s=max_age_s)
    known = has_already(request, taken.tag)
    answer = web.Response(status=304) if known else web.Response(body=taken.content)
    if not known:
        answer.content_type = f"image/{kind.format}"
    answer.etag = ETag(taken.tag)
    # To be kept by this caller alone, and only with a question whether it is still right.
    answer.headers.update({"Cache-Control": "private, no-cache", "Vary": "Accept", "X-Content-Type-Options": "nosniff"})
    return answer


def _whole(request: web.Request, name: str, least: int, most: int) -> int | None:
    value = request.query.get(name, "").strip()
    if not value:
        return None
    if not re.fullmatch(r"[0-9]{1,5}", value) or not least <= int(value) <= most:
        message = f"must be a whole number from {least} to {most}"
        raise InvalidRequestError(f"{name} {message}.", (FieldError(name, message),))
    return int(value)


def _image_format(request: web.Request) -> ImageFormat:
    match request.query.get("format", "").strip().lower():
        case "png":
            return "png"
        case "jpeg" | "jpg":
            return "jpeg"
        case "":
            wants_jpeg = preference(request, "image/jpeg") > preference(request, "image/png")
            return "jpeg" if wants_jpeg else "png"
    message = "must be png or jpeg"
    raise InvalidRequestError(f"format {message}.", (FieldError("format", message),))
