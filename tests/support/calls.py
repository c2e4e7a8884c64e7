"""Calls to an agent that may be killed meanwhile."""

from __future__ import annotations

import http.client
import json
from typing import Any, Final

GONE: Final = (OSError, http.client.HTTPException)
"""The errors of a call when the agent is killed."""


def call(port: int, method: str, path: str, body: object = None) -> Any:
    """The answer's JSON. Raises one of GONE when the agent is killed, and RuntimeError when it refuses."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request(method, path, None if body is None else json.dumps(body))
        answer = connection.getresponse()
        content = answer.read()
    finally:
        connection.close()
    if answer.status != 200:
        raise RuntimeError(f"{method} {path}: {answer.status} {content!r}")
    return json.loads(content)
