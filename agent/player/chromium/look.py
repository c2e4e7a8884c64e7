"""The appearance of one page: its size, its colours and its language, as its caller wants them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import structlog

from agent.page_options import PageOptions
from agent.player import reasons as shared
from agent.player.chromium.cdp import Cdp
from agent.player.chromium.companion import Companion
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
    """The appearance of the page of `session`. `failed` receives what the browser does not support. `draw` has the page
    draw, and then calls its argument."""

    def __init__(
        self,
        cdp: Cdp,
        session: str,
        *,
        options: PageOptions,
        companion: Companion,
        draw: Callable[[Callable[[], None]], None],
        failed: Callable[[Failure], None],
    ) -> None:
        self._cdp = cdp
        self._session = session
        self._options = options
        self._companion = companion
        self._on_failed = failed
        self._draw = draw

    def apply(self, user_agent: str) -> None:
        """Prepare all of it before the page is opened; `user_agent` is the browser's own."""
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

    def moved(self) -> None:
        """Note that the page is another one. Chromium keeps the zoom of each server, so it can be set from now on."""
        if self._options.zoom is not None:
            self._companion.zoom(self._options.zoom, then=self._on_zoomed)

    def when_ready(self, then: Callable[[], None]) -> None:
        """Call `then` when a page that has painted has its final size. The browser may have learned of the page later
        than the process of the page, which reported it: a zoom that was set before that is lost."""
        if self._options.zoom is None:
            then()
            return

        def zoomed(result: Mapping[str, Any]) -> None:
            self._on_zoomed(result)
            self._draw(then)

        self._companion.zoom(self._options.zoom, then=zoomed)

    def _on_zoomed(self, result: Mapping[str, Any]) -> None:
        if problem := result.get("error") or result.get("exceptionDetails"):
            log.warning("page_zoom_failed", reason=str(problem)[:200])

    def _known(self, what: str) -> Callable[[Mapping[str, Any]], None]:
        def answered(result: Mapping[str, Any]) -> None:
            if "error" in result:
                sentence = f"Chromium knows no such {what} as the one in page: it says {result['error']!r}."
                self._on_failed(shared.failure(ErrorCode.MEDIA_UNSUPPORTED, sentence))

        return answered

    def _say(self, method: str, *, then: Callable[[Mapping[str, Any]], None] | None = None, **parameters: Any) -> None:
        self._cdp.say(method, session=self._session, then=then, **parameters)
