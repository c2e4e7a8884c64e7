"""The things that a page wants and may not have: each is refused, and told."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import structlog

from agent.player.base import PageRefusal
from agent.player.chromium.cdp import Cdp

LOGGED: Final = 10
"""The most refusals of one page that are logged: it may ask without end."""

_TOLD: Final = "file:///cast-agent/"
"""The beginning of an address that no page can load, and with which our script tells of a refusal."""

# Nothing of this may be seen: a dialog fades in before it can be dismissed, and a preview lies over the page. Chromium
# answers requests for permissions without a word. The domain Runtime could carry what we tell, but keeps all that the
# page logs: the browser's log carries it, too. The keys of the browser go to the page first. The page hears all of
# them; of what they do, editing is left (Ctrl with A, C, V, X, Y and Z, the arrows, ...).
_SCRIPT: Final = """{
  const NativeImage = window.Image;
  const say = kind => {new NativeImage().src = "%(told)s" + kind};
  window.alert = () => say("%(dialog)s");
  window.confirm = () => {say("%(dialog)s"); return false};
  window.prompt = () => {say("%(dialog)s"); return null};
  window.print = () => say("%(print)s");
  const tell = (owner, name) => {
    const ask = owner?.[name];
    if (ask) owner[name] = function (...wanted) {
      say("%(permission)s");
      return ask.apply(this, wanted);
    };
  };
  for (const name of ["getCurrentPosition", "watchPosition"]) tell(window.Geolocation?.prototype, name);
  for (const name of ["getUserMedia", "getDisplayMedia"]) tell(window.MediaDevices?.prototype, name);
  tell(window.Notification, "requestPermission");

  const edits = [8, 33, 34, 35, 36, 37, 38, 39, 40, 45, 46, 65, 67, 86, 88, 89, 90];
  const tools = "%(tools)s";
  const refusals = {F12: tools, cP: "%(print)s", cU: "%(local)s", csI: tools, csJ: tools, csC: tools};
  addEventListener("keydown", event => {
    const {keyCode, ctrlKey, altKey, shiftKey, metaKey} = event;
    if (!event.isTrusted || event.getModifierState("AltGraph")) return;
    const isFunction = keyCode >= 112 && keyCode <= 135;
    const letter = isFunction ? `F${keyCode - 111}` : String.fromCharCode(keyCode);
    const refusal = refusals[(ctrlKey ? "c" : "") + (shiftKey ? "s" : "") + letter];
    const isTaskManager = keyCode === 27 && shiftKey;
    const isEdit = ctrlKey && !altKey && !metaKey && edits.includes(keyCode);
    const isChord = (ctrlKey || altKey || metaKey) && !isEdit;
    if (refusal || isFunction || isTaskManager || isChord) event.preventDefault();
    if (refusal) say(refusal);
  }, {capture: true});
  addEventListener("contextmenu", event => event.isTrusted && event.preventDefault(), {capture: true});
}"""

_WORDS: Final = {"told": _TOLD, **{kind.value: kind.value for kind in PageRefusal}}

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
        self._cdp.say("Page.setInterceptFileChooserDialog", session=session, enabled=True, cancel=True)
        self._cdp.say("Page.addScriptToEvaluateOnNewDocument", session=session, source=_SCRIPT % _WORDS, then=then)

    def take(self, event: str, about: Mapping[str, Any], session: str) -> None:
        """Process an event of the browser, of the page or of one of its frames."""
        match event:
            case "Browser.downloadWillBegin":
                self.tell(PageRefusal.DOWNLOAD)
            case "Page.windowOpen":  # told whether or not a window follows, which is closed elsewhere
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

    def tell(self, what: PageRefusal) -> None:
        """Tell of a refusal."""
        self._on_told(what)
        self._count += 1
        if self._count <= LOGGED:
            log.info("page_request_refused", kind=what.value)


def _kind_of(text: str) -> PageRefusal | None:
    """The refusal that an entry of the log tells of, if it does. The page may have written anything."""
    _, is_ours, what = text.partition(_TOLD)
    kind = re.match(r"\w+", what)
    if is_ours and kind is not None and kind[0] in set(PageRefusal):
        return PageRefusal(kind[0])
    return PageRefusal.LOCAL if text.startswith(_LOCAL) else None
