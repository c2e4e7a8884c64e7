"""The parts of the agent's OpenAPI document beside its calls."""

from __future__ import annotations

import functools
from typing import Any, Final

from agent.casting.fields import PRESET_ID
from agent.frontends.http.guard import Access, cookie_name
from agent.frontends.http.operations import OPERATIONS, Operation
from agent.frontends.http.problems import Problem
from agent.frontends.http.responses import EventMessage, FollowerClosed, StatusAnswer
from agent.types import DEFAULT_PORT
from cast_http.openapi import Service, as_text
from cast_wire.kinds import FOLLOWED

_KEYS: Final[list[dict[str, list[str]]]] = [{"key": []}, {"api_key": []}, {"page": []}]
_MESSAGE: Final = {"$ref": f"#/components/schemas/{EventMessage.__name__}"}
_EVENTS: Final[dict[str, Any]] = {
    "schema": {
        "type": "string",
        "description": "Server-sent events; the data of each is JSON. `snapshot` comes first and is the answer of "
        "`GET /status`. After `gap` some events are missing, and a snapshot follows or the connection ends. `closed` "
        "says why the agent ends the connection. Every other event is a change, named by its kind. A comment comes "
        "every 15 s.",
    },
    "x-events": {
        "snapshot": {"$ref": f"#/components/schemas/{StatusAnswer.__name__}"},
        **{kind.value: _MESSAGE for kind in FOLLOWED},
        "gap": {"type": "object", "maxProperties": 0},
        "closed": {"$ref": f"#/components/schemas/{FollowerClosed.__name__}"},
    },
}


def _refusals(operation: Operation) -> set[int]:
    return {401, 403, 429} if operation.access in (Access.KEY, Access.LOCAL) else {403}


SERVICE: Final[Service[Operation]] = Service(
    title="cast-agent",
    description="Puts a stream on the screen of this box. Numbers and booleans in bodies may come as strings, too, and "
    "a field that is null or empty counts as left out.",
    problem=Problem,
    schemes={
        "key": {"type": "http", "scheme": "bearer", "description": "A key that `cast-agent key add NAME` printed."},
        "api_key": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "The same."},
        "page": {
            "type": "apiKey",
            "in": "cookie",
            "name": cookie_name(DEFAULT_PORT),
            "description": "The key of a page that is signed in. The name ends with the port of the agent.",
        },
    },
    security={Access.OPEN: [], Access.LOCAL: [*_KEYS, {}], Access.KEY: [*_KEYS, {}], Access.HOOK: []},
    path_parameters={
        "id": {"type": "string", "pattern": PRESET_ID},
        "name": {"type": "string", "minLength": 1, "maxLength": 100},
        "secret": {"type": "string", "minLength": 1, "maxLength": 100},
    },
    refusals=_refusals,
    messages=(EventMessage, FollowerClosed),
    media_types={
        "text/event-stream": _EVENTS,
        "image/png": {"schema": {"type": "string", "contentMediaType": "image/png"}},
        "image/jpeg": {"schema": {"type": "string", "contentMediaType": "image/jpeg"}},
        "application/json": {"schema": {"type": "object"}},
    },
)


@functools.cache
def description() -> str:
    """The document. Blocks for some 100 ms at the first call."""
    return as_text(SERVICE, OPERATIONS)
