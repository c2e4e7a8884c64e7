"""The parts of the central API's OpenAPI document beside its calls, and all its calls."""

from __future__ import annotations

import functools
from typing import Final

from cast_http.openapi import Service, as_text
from central import system
from central.analytics import operations as analytics
from central.core.http.problems import Problem
from central.core.ids import ID_PATTERN
from central.core.operations import Access, Operation
from central.core.secrets import SESSION_COOKIE
from central.devices import operations as devices
from central.library import operations as library
from central.live import operations as live
from central.media import operations as media
from central.page import operations as page
from central.streams import operations as streams

_KEYS: Final[list[dict[str, list[str]]]] = [{"key": []}, {"api_key": []}, {"session": []}]


def _refusals(operation: Operation) -> set[int]:
    if operation.access is Access.OPEN:
        return set()
    return {401, 503} | (
        {403} if operation.access in (Access.ENROL, Access.DEVICE, Access.UPLOAD, Access.ADMIN) else set()
    )


SERVICE: Final[Service[Operation]] = Service(
    title="cast-central",
    description="What boxes report to, and what publishers are checked against.",
    problem=Problem,
    schemes={
        "key": {
            "type": "http",
            "scheme": "bearer",
            "description": "An admin key (ak_), the secret of the API (API_SECRET), a device token (dt_), an "
            "enrolment token (et_) or an upload key (uk_).",
        },
        "api_key": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "The same."},
        "session": {
            "type": "apiKey",
            "in": "cookie",
            "name": SESSION_COOKIE,
            "description": "The cookie of a page that has logged in with an admin key or an upload key.",
        },
        "shared_secret": {
            "type": "http",
            "scheme": "basic",
            "description": "Any user name and the shared secret; not needed from this machine itself.",
        },
    },
    security={
        Access.OPEN: [],
        Access.LOCAL: [*_KEYS, {}],
        Access.MEDIAMTX: [{"shared_secret": []}, {}],
        Access.ENROL: _KEYS,
        Access.DEVICE: _KEYS,
        Access.UPLOAD: _KEYS,
        Access.ADMIN: _KEYS,
    },
    path_parameters={
        "id": {"type": "string", "pattern": ID_PATTERN},
        "name": {"type": "string"},
        "stream": {
            "type": "string",
            "minLength": 1,
            "maxLength": 100,
            "description": "Its id; to read it while it is on, its join code does as well.",
        },
    },
    refusals=_refusals,
)

OPERATIONS: Final[tuple[Operation, ...]] = (
    *devices.OPERATIONS,
    *streams.OPERATIONS,
    *media.OPERATIONS,
    *library.OPERATIONS,
    *live.OPERATIONS,
    *analytics.OPERATIONS,
    *page.OPERATIONS,
    *system.OPERATIONS,
)
"""All but those of the service itself that tell about these: `/metrics` and `/openapi.json`."""


@functools.cache
def description() -> str:
    """The document."""
    return as_text(SERVICE, OPERATIONS)
