"""The things that a page wants and may not have: each is refused, and told."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import structlog

from agent.player.base import PageRefusal
from agent.player.chromium.cdp import Cdp
from agent.player.chromium.refusal_script import SCRIPT, TOLD

LOGGED: Final = 10
"""The most refusals of one page that are logged: it may ask without end."""

_LOCAL: Final = "Not allowed to load local resource"
"""The words of the browser for `file:`, its own pages and its tools."""

_REPORT: Final = re.compile("report.only", re.IGNORECASE)
"""A word in the entry for what would break a rule of the page if that were in force."""

_WITHIN: Final = {"http", "https", "about", "blob", "data", "javascript"}
"""The schemes that the browser does not leave to another program."""

log = structlog.get_logger(__name__)


class Refusals:
    """The refusals of one page and its frames. `told` is called with each."""

    def __init__(self, cdp: Cdp, told: Callable[[PageRefusal], None]) -> None:
        self._cdp = cdp
        self._on_told = told
        self._count = 0
        self._asked = False
        """True if the page has asked for a window that is not closed yet."""

    def begin(self) -> None:
        """Have the browser refuse what it refuses for all pages."""
        self._cdp.say("Browser.setDownloadBehavior", behavior="deny", eventsEnabled=True)

    def prepare(self, session: str, then: Callable[[Mapping[str, Any]], None] | None = None) -> None:
        """Prepare a page, or a frame with a process of its own."""
        self._cdp.say("Log.enable", session=session)
        self._cdp.say("Page.setInterceptFileChooserDialog", session=session, enabled=True, cancel=True)
        self._cdp.say("Page.addScriptToEvaluateOnNewDocument", session=session, source=SCRIPT, then=then)

    def take(self, event: str, about: Mapping[str, Any], session: str) -> None:
        """Process an event of the browser, of the page or of one of its frames."""
        match event:
            case "Browser.downloadWillBegin":
                self.tell(PageRefusal.DOWNLOAD)
            case "Page.windowOpen":  # whether or not a window follows
                self._asked = True
                self.tell(PageRefusal.POP_UP)
            case "Page.javascriptDialogOpening":  # such as when it is left; it stands still until it is answered
                self.tell(PageRefusal.DIALOG)
                accept = about.get("type") == "beforeunload"
                self._cdp.say("Page.handleJavaScriptDialog", session=session, accept=accept)
            case "Page.fileChooserOpened":
                self.tell(PageRefusal.FILE)
            case "Page.frameRequestedNavigation" if urlsplit(str(about.get("url", ""))).scheme not in _WITHIN:
                self.tell(PageRefusal.PROGRAM)
            case "Log.entryAdded" if what := _kind_of(str((about.get("entry") or {}).get("text", ""))):
                self.tell(what)

    def closed(self) -> None:
        """Note that a window was closed at once: what the page has asked for, or what somebody opened with a key and a
        click, of which nothing else tells."""
        if not self._asked:
            self.tell(PageRefusal.POP_UP)
        self._asked = False

    def tell(self, what: PageRefusal) -> None:
        """Tell of a refusal."""
        self._on_told(what)
        self._count += 1
        if self._count <= LOGGED:
            log.info("page_request_refused", kind=what.value)


def _kind_of(text: str) -> PageRefusal | None:
    """The refusal that an entry of the log tells of, if it does. The page may have written anything."""
    if _REPORT.search(text):
        return None  # the same is told of what becomes of it
    _, is_ours, what = text.partition(TOLD)
    kind = re.match(r"\w+", what)
    if is_ours and kind is not None and kind[0] in set(PageRefusal):
        return PageRefusal(kind[0])
    return PageRefusal.LOCAL if text.startswith(_LOCAL) else None
