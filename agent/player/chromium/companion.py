"""The companion of a page: extensions in its browser, for what Chromium lets nothing else do."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from typing import Any

from agent.errors import PlayerUnavailableError
from agent.player.chromium.cdp import Cdp
from agent.util.futures import new_future, reject, resolve

TOO_OLD = "This Chromium is too old to show pages: version 126 or newer is needed."

Then = Callable[[Mapping[str, Any]], None]


class Companion:
    """Silences the only tab of a browser, and adds headers to its websockets. `is_ready` is done when the
    tab is silent."""

    def __init__(self, cdp: Cdp) -> None:
        self._cdp = cdp
        self._folder = ""
        self._tab = _Extension(cdp, begin="mute(true)")
        self._sockets: _Extension | None = None

    @property
    def is_ready(self) -> asyncio.Future[None]:
        return self._tab.is_ready

    def load(self, folder: str) -> None:
        """Add it to the browser, from a folder that the browser may read."""
        self._folder = folder
        self._tab.load(f"{folder}/tab")

    def mute(self, muted: bool, *, then: Then) -> None:
        """Mute or unmute the page. A muted page has no sound device."""
        self._tab.call(f"mute({json.dumps(muted)})", then)

    def add_headers(self, headers: list[dict[str, str]]) -> asyncio.Future[None]:
        """Send headers with the handshakes of websockets, of which no other part of Chromium tells before they are
        sent. Called once; the result is done when they count. Each has its `name` and `value`, counts where the address
        matches its `filter`, and for the pages of its `host`.

        With headers, Chromium does not tell why a websocket fails. So the extension is added only where it is needed.
        """
        self._sockets = _Extension(self._cdp, begin=f"addHeaders({json.dumps(headers)})")
        self._sockets.load(f"{self._folder}/sockets")
        return self._sockets.is_ready

    def hear(self, event: str, about: Mapping[str, Any], session: str) -> None:
        """Process an event of the browser."""
        self._tab.hear(event, about, session)
        if self._sockets is not None:
            self._sockets.hear(event, about, session)


class _Extension:
    """One extension. `is_ready` is done when its worker has run `begin`."""

    def __init__(self, cdp: Cdp, *, begin: str) -> None:
        self._cdp = cdp
        self._begin = begin
        self.is_ready: asyncio.Future[None] = new_future()
        self._id = ""
        self._session = ""
        self._is_begun = False
        self._workers: dict[str, str] = {}
        """The service workers that may belong to our extension, by the address of each."""

    def load(self, folder: str) -> None:
        self._cdp.say("Extensions.loadUnpacked", path=folder, then=self._on_loaded)

    def call(self, expression: str, then: Then) -> None:
        self._cdp.say("Runtime.evaluate", session=self._session, expression=expression, awaitPromise=True, then=then)

    def hear(self, event: str, about: Mapping[str, Any], session: str) -> None:
        target = about.get("targetInfo") or {}
        if event == "Target.targetCreated" and target.get("type") == "service_worker" and not self.is_ready.done():
            self._workers[str(target.get("url", ""))] = str(target["targetId"])
            self._attach()
        elif event == "Runtime.bindingCalled" and session == self._session and not self._is_begun:
            self._is_begun = True
            self.call(self._begin, self._on_begun)

    def _on_loaded(self, result: Mapping[str, Any]) -> None:
        if "error" in result:
            reject(self.is_ready, PlayerUnavailableError(f"{TOO_OLD} It says: {result['error']}"))
        self._id = str(result.get("id", ""))
        self._attach()

    def _attach(self) -> None:
        """Attach the worker once both it and the name that the browser gave the extension are known."""
        for url, target in self._workers.items():
            if self._id and url.startswith(f"chrome-extension://{self._id}/"):
                self._workers = {}
                self._cdp.say("Target.attachToTarget", targetId=target, flatten=True, then=self._on_attached)
                return

    def _on_attached(self, result: Mapping[str, Any]) -> None:
        self._session = str(result.get("sessionId", ""))
        self._cdp.say("Runtime.enable", session=self._session)
        self._cdp.say("Runtime.addBinding", session=self._session, name="ready")  # its script calls that at its end
        ready = 'globalThis.isReady && ready("")'  # it may have run before; a worker is there before, too
        self._cdp.say("Runtime.evaluate", session=self._session, expression=ready)

    def _on_begun(self, result: Mapping[str, Any]) -> None:
        if "error" in result or "exceptionDetails" in result:  # not told, because it may hold a secret
            reject(self.is_ready, PlayerUnavailableError("An extension of the agent does not work in this Chromium."))
        resolve(self.is_ready, None)
