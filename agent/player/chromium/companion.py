"""The companion of a page: an extension in its browser, for what Chromium lets nothing else do."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from typing import Any

from agent.errors import PlayerUnavailableError
from agent.player.chromium.cdp import Cdp
from agent.util.futures import new_future, reject, resolve

TOO_OLD = "This Chromium is too old to show pages: version 126 or newer is needed."


class Companion:
    """Silences and enlarges the only tab of a browser. `is_ready` is done when the tab is silent."""

    def __init__(self, cdp: Cdp) -> None:
        self._cdp = cdp
        self.is_ready: asyncio.Future[None] = new_future()
        self._id = ""
        self._session = ""
        self._workers: dict[str, str] = {}
        """The service workers that may belong to our extension, by the address of each."""

    def load(self, folder: str) -> None:
        """Add the extension to the browser, from a folder that the browser may read."""
        self._cdp.say("Extensions.loadUnpacked", path=folder, then=self._on_loaded)

    def mute(self, muted: bool, *, then: Callable[[Mapping[str, Any]], None]) -> None:
        """Mute or unmute the page. A muted page has no sound device."""
        self._call(f"mute({json.dumps(muted)})", then)

    def zoom(self, factor: float, *, then: Callable[[Mapping[str, Any]], None]) -> None:
        """Set the zoom of the page, and of all pages of the same server; 1 is the usual one."""
        self._call(f"zoom({factor:g})", then)

    def hear(self, event: str, about: Mapping[str, Any], session: str) -> None:
        """Process an event of the browser."""
        target = about.get("targetInfo") or {}
        if event == "Target.targetCreated" and target.get("type") == "service_worker" and not self.is_ready.done():
            self._workers[str(target.get("url", ""))] = str(target["targetId"])
            self._attach()
        elif event == "Runtime.executionContextCreated" and session == self._session and not self.is_ready.done():
            self.mute(True, then=lambda _: resolve(self.is_ready, None))

    def _on_loaded(self, result: Mapping[str, Any]) -> None:
        if "error" in result:
            reject(self.is_ready, PlayerUnavailableError(f"{TOO_OLD} It says: {result['error']}"))
        self._id = str(result.get("id", ""))
        self._attach()

    def _attach(self) -> None:
        """Attach the page once both its given name and its worker are known."""
        for url, target in self._workers.items():
            if self._id and url.startswith(f"chrome-extension://{self._id}/"):
                self._workers = {}
                self._cdp.say("Target.attachToTarget", targetId=target, flatten=True, then=self._on_attached)
                return

    def _on_attached(self, result: Mapping[str, Any]) -> None:
        self._session = str(result.get("sessionId", ""))
        self._cdp.say("Runtime.enable", session=self._session)

    def _call(self, expression: str, then: Callable[[Mapping[str, Any]], None]) -> None:
        self._cdp.say("Runtime.evaluate", session=self._session, expression=expression, awaitPromise=True, then=then)
