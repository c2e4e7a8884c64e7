"""The appearance of one page: its size, its colours and its language, as its caller wants them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from math import ceil
from typing import Any

import structlog

from agent.page_options import PageOptions
from agent.player import reasons as shared
from agent.player.chromium.cdp import Cdp
from agent.types import ErrorCode, Failure

_CSS = """{
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(%s);
  document.adoptedStyleSheets.push(sheet);
  const attach = Element.prototype.attachShadow;
  Element.prototype.attachShadow = function (init) {
    const root = attach.call(this, init);
    queueMicrotask(() => root.adoptedStyleSheets.push(sheet));  // who made it sets its own sheets first
    return root;
  };
}"""
"""CSS that also reaches parts which custom elements hide, such as the header of Home Assistant."""

_SCROLL = """if (self === top) {
  history.scrollRestoration = "manual";
  const follow = new ResizeObserver(() => {
    scrollTo(0, %d);
    if (scrollY >= %d) follow.disconnect();
  });
  addEventListener("DOMContentLoaded", () => follow.observe(document.documentElement));
}"""
"""A script that scrolls before each picture until the page is long enough: a page grows while it loads."""

log = structlog.get_logger(__name__)


class Look:
    """The appearance of the page of `session`. `failed` receives what the browser does not support."""

    def __init__(
        self,
        cdp: Cdp,
        session: str,
        *,
        options: PageOptions,
        failed: Callable[[Failure], None],
    ) -> None:
        self._cdp = cdp
        self._session = session
        self._options = options
        self._zoom = options.zoom
        self._size = (0, 0)
        """The size of the window that the zoom was set for."""
        self._on_failed = failed

    def apply(self, user_agent: str, then: Callable[[], None]) -> None:
        """Prepare all of it before the page is opened, and call `then`; `user_agent` is the browser's own."""
        wanted = self._options
        if wanted.dark is not None:
            scheme = {"name": "prefers-color-scheme", "value": "dark" if wanted.dark else "light"}
            self._say("Emulation.setEmulatedMedia", features=[scheme])
        if wanted.language is not None:
            self._say("Emulation.setLocaleOverride", locale=wanted.language, then=self._known("language"))
        if wanted.time_zone is not None:
            self._say("Emulation.setTimezoneOverride", timezoneId=wanted.time_zone, then=self._known("time zone"))
        if wanted.language is not None or wanted.user_agent is not None:
            languages: dict[str, Any] = {} if wanted.language is None else {"acceptLanguage": wanted.language}
            self._say("Emulation.setUserAgentOverride", userAgent=wanted.user_agent or user_agent, **languages)
        if wanted.css is not None:
            self._say("Page.addScriptToEvaluateOnNewDocument", source=_CSS % json.dumps(wanted.css))
        if wanted.scroll is not None:
            self._say("Page.addScriptToEvaluateOnNewDocument", source=_SCROLL % (wanted.scroll, wanted.scroll))
        self.fit(lambda _: then())

    def fit(self, then: Callable[[bool], None]) -> None:
        """Have the page fill its window with its zoom. `then` is called with True if that was resized since.

        The page believes in a smaller screen with more pixels. Chromium's own zoom shows a bubble over the page.
        """
        if self._zoom is None:
            then(False)
            return
        self._say("Browser.getWindowForTarget", then=lambda result: self._resize(result, then))

    def _resize(self, result: Mapping[str, Any], then: Callable[[bool], None]) -> None:
        bounds, zoom = result.get("bounds") or {}, self._zoom or 1.0
        size = int(bounds.get("width", 0)), int(bounds.get("height", 0))
        if changed := size != self._size and all(size):
            self._size = size
            width, height = (ceil(pixels / zoom) for pixels in size)  # at the edge, no pixel is left without the page
            scale = {"deviceScaleFactor": zoom, "scale": zoom, "mobile": False, "dontSetVisibleSize": True}
            self._say("Emulation.setDeviceMetricsOverride", width=width, height=height, then=_on_zoomed, **scale)
        then(changed)

    def _known(self, what: str) -> Callable[[Mapping[str, Any]], None]:
        def answered(result: Mapping[str, Any]) -> None:
            if "error" in result:
                sentence = f"Chromium knows no such {what} as the one in page: it says {result['error']!r}."
                self._on_failed(shared.failure(ErrorCode.MEDIA_UNSUPPORTED, sentence))

        return answered

    def _say(self, method: str, *, then: Callable[[Mapping[str, Any]], None] | None = None, **parameters: Any) -> None:
        self._cdp.say(method, session=self._session, then=then, **parameters)


def _on_zoomed(result: Mapping[str, Any]) -> None:
    if "error" in result:
        log.warning("page_zoom_failed", reason=str(result["error"])[:200])
