"""The contact with the server of a page, as the page's own requests show it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from agent.player.chromium.reasons import UNREACHABLE

REQUESTS_KEPT = 1000
"""Requests without an end yet. A page has some dozens; those of one that loses count are not followed."""


class Contact:
    """The contact of one page with its server. Requests to other servers do not count: advertisements may fail all
    day."""

    def __init__(self) -> None:
        self.reachable = True
        self._server = ""
        self._open: set[str] = set()
        """Requests to its own server that go on."""

    def moved(self, url: str) -> None:
        """The page is another one."""
        self._server, self.reachable = _server(url), True
        self._open.clear()

    def take(self, event: str, about: Mapping[str, Any]) -> None:
        """An event of the domain Network, without that in front of it."""
        request = str(about.get("requestId", ""))
        match event:
            case "requestWillBeSent":
                self._begun(request, str((about.get("request") or {}).get("url", "")))
            case "webSocketCreated":
                self._begun(request, str(about.get("url", "")))
            case "responseReceived" | "webSocketHandshakeResponseReceived" if request in self._open:
                self.reachable = True
            case "loadingFailed" | "webSocketFrameError" if request in self._open:
                self._failed(str(about.get("errorText") or about.get("errorMessage") or ""))
        if event in ("loadingFinished", "loadingFailed", "webSocketClosed"):
            self._open.discard(request)

    def _begun(self, request: str, url: str) -> None:
        if len(self._open) < REQUESTS_KEPT and _server(url) == self._server:
            self._open.add(request)

    def _failed(self, error: str) -> None:
        _, found, name = error.rpartition("net::")
        if found and name.startswith(UNREACHABLE):
            self.reachable = False


def _server(url: str) -> str:
    """Host and port; those of a websocket are the page's own."""
    try:
        return urlsplit(url).netloc.rpartition("@")[2]
    except ValueError:
        return ""
