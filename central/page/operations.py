"""The calls of the page."""

from __future__ import annotations

from typing import Any, Final

from cast_http.page_files import MEDIA_TYPES
from central.core.operations import Access, Operation
from central.page import calls, models

KEY_LIMIT: Final = 4096
"""Bytes of a body that holds a key."""

_IF_NONE_MATCH: Final[dict[str, Any]] = {
    "name": "If-None-Match",
    "in": "header",
    "required": False,
    "description": "The ETag of the file that the caller has.",
    "schema": {"type": "string"},
}

OPERATIONS: Final[tuple[Operation, ...]] = (
    Operation(
        "GET", "/", calls.get_page, Access.OPEN,
        "The page, for whoever fills the library.",
        {200: "text/html", 304: None}, headers=(_IF_NONE_MATCH,),
    ),
    Operation(
        "GET", "/page/{name}", calls.get_page_file, Access.OPEN,
        "A file that the page is made of.",
        {200: ", ".join(MEDIA_TYPES), 304: None}, (404,), headers=(_IF_NONE_MATCH,),
    ),
    Operation(
        "POST", "/api/v1/session", calls.log_in, Access.OPEN,
        "Log a browser in: a cookie, in return for a key.",
        {200: models.Session}, (401, 403, 429, 503), body=models.SessionBody, body_limit=KEY_LIMIT,
    ),
    Operation(
        "GET", "/api/v1/session", calls.get_session, Access.UPLOAD,
        "The key as which the caller is logged in.",
        {200: models.Session},
    ),
    Operation(
        "DELETE", "/api/v1/session", calls.log_out, Access.UPLOAD,
        "Log the browser out: its cookie opens nothing any more.",
        {204: None},
    ),
)  # fmt: skip
