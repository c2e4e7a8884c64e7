"""The contact with the server of a page, as the page's own requests show it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from agent.player.chromium.reasons import UNREACHABLE

REQUESTS_KEPT = 1000
"""The most requests without an end that are followed. A page has some dozens; those of one that exceeds it are
ignored."""

GATEWAY_FAILURES = tuple(f"response code: {status}" for status in (502, 503, 504))
"""The ends of Chromium's error for a websocket whose server is away, as its proxy says: it tells the status nowhere
else. A page may ask for one that does not exist, and be whole without it: 404 says nothing."""


class Contact:
    """The contact of one page with its server. Requests to other servers do not count: advertisements may fail all
    day."""

    def __init__(self) -> None:
        self.reachable = True
        self._server = ""
        self._open: set[str] = set()
        """The requests to its own server that have no end yet."""
        self._connected: set[str] = set()
        """Those of them that are websockets, and have a connection."""

    def moved(self, url: str) -> None:
        """Note that the page is another one."""
        self._server, self.reachable = _server(url), True
        self._open.clear()
        self._connected.clear()

    def take(self, event: str, about: Mapping[str, Any]) -> None:
        """Process an event of the domain Network, whose name is left out of `event`."""
        request = str(about.get("requestId", ""))
        match event:
            case "requestWillBeSent":
                self._begun(request, str((about.get("request") or {}).get("url", "")))
            case "webSocketCreated":
                self._begun(request, str(about.get("url", "")))
            case "responseReceived" | "webSocketHandshakeResponseReceived" if request in self._open:
                self.reachable = True
            case "webSocketWillSendHandshakeRequest" if request in self._open:
                self._connected.add(request)
            case "loadingFailed" if request in self._open:
                self._failed(str(about.get("errorText", "")))
            case "webSocketFrameError" if request in self._open:
                self._failed(error := str(about.get("errorMessage", "")))
                # Where websockets get headers of ours, Chromium does not say why one failed.
                if not error and request not in self._connected:
                    self.reachable = False
        if event in ("loadingFinished", "loadingFailed", "webSocketClosed"):
            self._open.discard(request)
            self._connected.discard(request)

    def _begun(self, request: str, url: str) -> None:
        if len(self._open) < REQUESTS_KEPT and _server(url) == self._server:
            self._open.add(request)

    def _failed(self, error: str) -> None:
        _, found, name = error.rpartition("net::")
        if (found and name.startswith(UNREACHABLE)) or error.endswith(GATEWAY_FAILURES):
            self.reachable = False


def _server(url: str) -> str:
    """The host and the port; those of a websocket are the page's own."""
    try:
        return urlsplit(url).netloc.rpartition("@")[2]
    except ValueError:
        return ""
