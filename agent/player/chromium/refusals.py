"""The things that a page wants and may not have: each is refused, and told."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Final
from urllib.parse import urlsplit

import structlog

from agent.player.base import PageRefusal
from agent.player.chromium.cdp import Cdp

LOGGED: Final = 10
"""The most refusals of one page that are logged: it may ask without end."""

_TOLD: Final = "cast-agent: "
"""The beginning of a dialog that is ours."""

# A preview would lie over the page. Chromium answers requests for permissions without a word, and the domain Runtime,
# which could carry ours, keeps all that the page logs: a dialog, which is dismissed at once, tells of both.
_SCRIPT: Final = """{
  const say = window.alert.bind(window);
  const tell = (owner, name) => {
    const ask = owner?.[name];
    if (ask) owner[name] = function (...wanted) {
      say(%(permission)s);
      return ask.apply(this, wanted);
    };
  };
  window.print = () => say(%(print)s);
  for (const name of ["getCurrentPosition", "watchPosition"]) tell(window.Geolocation?.prototype, name);
  for (const name of ["getUserMedia", "getDisplayMedia"]) tell(window.MediaDevices?.prototype, name);
  tell(window.Notification, "requestPermission");
}""" % {kind.value: json.dumps(_TOLD + kind) for kind in (PageRefusal.PRINT, PageRefusal.PERMISSION)}

_LOCAL: Final = "Not allowed to load local resource"
"""The words of the browser for `file:`, its own pages and its tools."""

_WITHIN: Final = {"http", "https", "about", "blob", "data", "javascript"}
"""The schemes that the browser does not leave to another program."""

log = structlog.get_logger(__name__)


class Refusals:
    """The refusals of one page and its frames. `told` is called with each."""

    def __init__(self, cdp: Cdp, told: Callable[[PageRefusal], None]) -> None:
        self._cdp = cdp
        self._on_told = told
        self._count = 0

    def begin(self) -> None:
        """Have the browser refuse what it refuses for all pages."""
        self._cdp.say("Browser.setDownloadBehavior", behavior="deny", eventsEnabled=True)

    def prepare(self, session: str, then: Callable[[Mapping[str, Any]], None] | None = None) -> None:
        """Prepare a page, or a frame with a process of its own."""
        self._cdp.say("Log.enable", session=session)
        self._cdp.say("Page.addScriptToEvaluateOnNewDocument", session=session, source=_SCRIPT, then=then)

    def take(self, event: str, about: Mapping[str, Any], session: str) -> None:
        """Process an event of the browser, of the page or of one of its frames."""
        match event:
            case "Browser.downloadWillBegin":
                self.tell(PageRefusal.DOWNLOAD)
            case "Page.windowOpen":  # told whether or not a window follows, which is closed elsewhere
                self.tell(PageRefusal.POP_UP)
            case "Page.javascriptDialogOpening":  # the page stands still until it is answered
                self.tell(_kind_of(str(about.get("message", ""))))
                accept = about.get("type") == "beforeunload"
                self._cdp.say("Page.handleJavaScriptDialog", session=session, accept=accept)
            case "Page.frameRequestedNavigation" if urlsplit(str(about.get("url", ""))).scheme not in _WITHIN:
                self.tell(PageRefusal.PROGRAM)
            case "Log.entryAdded" if str((about.get("entry") or {}).get("text", "")).startswith(_LOCAL):
                self.tell(PageRefusal.LOCAL)

    def tell(self, what: PageRefusal) -> None:
        """Tell of a refusal."""
        self._on_told(what)
        self._count += 1
        if self._count <= LOGGED:
            log.info("page_request_refused", kind=what.value)


def _kind_of(message: str) -> PageRefusal:
    if message.startswith(_TOLD):
        with suppress(ValueError):  # the page itself may say anything
            return PageRefusal(message.removeprefix(_TOLD))
    return PageRefusal.DIALOG
