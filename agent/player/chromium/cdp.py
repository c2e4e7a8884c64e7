"""The language of Chromium: the DevTools protocol (https://chromedevtools.github.io/devtools-protocol/), JSON messages
that end with NUL, over a pipe that nobody else can reach."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import structlog

END = b"\0"

WAITING_LIMIT = 10_000
"""The most answers that are waited for: a browser that still answers never leaves more open."""

_UNHEARD = tuple(
    b'{"method":"' + name
    for name in (
        *(b'Network.dataReceived"', b"Network.webSocketFrameReceived", b"Network.webSocketFrameSent"),
        *(b"Network.resourceChanged", b"Runtime.consoleAPICalled", b"Runtime.exceptionThrown"),
    )
)
"""Messages that come by the hundred and tell nothing: reading them is not worth it."""

log = structlog.get_logger(__name__)
Then = Callable[[Mapping[str, Any]], None]


class Cdp:
    """The codec of the protocol. `write` takes one message to the browser. `on_event` is called with each event that
    was not asked for: the method, its parameters, and its session, which is empty for the browser itself."""

    def __init__(
        self, write: Callable[[bytes], None], *, on_event: Callable[[str, Mapping[str, Any], str], None]
    ) -> None:
        self._write = write
        self._on_event = on_event
        self._asked = 0
        self._waiting: dict[int, Then] = {}

    def say(self, method: str, *, session: str = "", then: Then | None = None, **parameters: Any) -> None:
        """Send a command. `then` is called with its result, or with `{"error": ...}` and the browser's sentence if it
        refuses."""
        self._asked += 1
        message: dict[str, Any] = {"id": self._asked, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        if then is not None and len(self._waiting) < WAITING_LIMIT:
            self._waiting[self._asked] = then
        self._write(json.dumps(message).encode() + END)

    def hear(self, text: bytes) -> None:
        """Process one message, with or without its end. Raises ValueError for an invalid one."""
        if text.startswith(_UNHEARD):
            return
        message = json.loads(text.removesuffix(END))
        if not isinstance(message, dict):
            raise ValueError(f"not a message of the DevTools protocol: {text[:80]!r}")
        if "id" not in message:
            self._on_event(str(message.get("method", "")), message.get("params") or {}, message.get("sessionId", ""))
            return
        then, refusal = self._waiting.pop(message["id"], None), message.get("error")
        if refusal is not None and then is None:  # what it was about has gone meanwhile, as a rule
            log.debug("browser_refused", reason=str(refusal.get("message", "")))
        if then is not None:
            then({"error": str(refusal.get("message", ""))} if refusal else message.get("result") or {})
