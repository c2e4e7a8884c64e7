"""The language of mpv: JSON lines, questions with answers, and events (mpv's manual, "JSON IPC")."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import structlog

log = structlog.get_logger(__name__)
Then = Callable[[Any], None]


class JsonIpc:
    """`write` takes one line to mpv; `on_event` is told what comes unasked."""

    def __init__(self, write: Callable[[bytes], None], *, on_event: Callable[[dict[str, Any]], None]) -> None:
        self._write = write
        self._on_event = on_event
        self._asked = 0
        self._waiting: dict[int, Then] = {}

    def say(self, *words: Any, then: Then | None = None) -> None:
        """A command; `then` gets its answer, None where there is none now. What mpv refuses is logged."""
        self._asked += 1
        if then is not None:
            self._waiting[self._asked] = then
        self._write(json.dumps({"command": words, "request_id": self._asked}).encode() + b"\n")

    def set(self, name: str, value: Any) -> None:
        """A property, or an option."""
        self.say("set_property", name, value)

    def get(self, name: str, then: Then) -> None:
        """A property; None where there is none now."""
        self.say("get_property", name, then=then)

    def hear(self, text: bytes) -> None:
        """Process one line of mpv. Raises ValueError for an invalid one."""
        message = json.loads(text)
        if not isinstance(message, dict):
            raise ValueError(f"not a message of mpv: {text[:80]!r}")
        if "event" in message:
            self._on_event(message)
            return
        then = self._waiting.pop(message.get("request_id", 0), None)
        error = message.get("error")
        if error not in ("success", "property unavailable"):
            log.warning("mpv_refused", error=error)
        elif then is not None:
            then(message.get("data"))
