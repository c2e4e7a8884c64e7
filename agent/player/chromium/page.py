"""One page in a browser: how it is opened, when it has painted, what becomes of it, and what it may not do."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from agent.config.web import WebSettings
from agent.page_options import PageOptions
from agent.player.base import PageRefusal
from agent.player.chromium import reasons
from agent.player.chromium.cdp import Cdp
from agent.player.chromium.contact import Contact
from agent.player.chromium.content import Content
from agent.player.chromium.frames import Frames, intercept
from agent.player.chromium.lan import Lan
from agent.player.chromium.login import PageLogin
from agent.player.chromium.login_secrets import Login
from agent.player.chromium.look import Look
from agent.player.chromium.pins import Pins
from agent.player.chromium.refusals import Refusals
from agent.types import Failure
from agent.util.futures import new_future, resolve

_CRASHED = "crashed"
"""In the refusal of a command to a page whose process has gone ("Target crashed")."""

_TWO_FRAMES = "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(1))))"
"""A script that answers when a picture was drawn since: by the page, its compositor and the process that draws for
all."""


class Page:
    """The only page of a browser, from the empty one that it starts with. `painted` is called once, at the first
    contentful paint of what was opened. `failed` is called when that cannot be shown, or no longer can; `refused` when
    it is not logged in; `crashed` when its process has gone; `denied` with each thing that it may not have."""

    def __init__(
        self,
        cdp: Cdp,
        *,
        painted: Callable[[], None],
        failed: Callable[[Failure], None],
        refused: Callable[[Failure], None],
        crashed: Callable[[], None],
        denied: Callable[[PageRefusal], None],
    ) -> None:
        self._cdp = cdp
        self._on_painted = painted
        self._on_failed = failed
        self._on_refused = refused
        self._on_crashed = crashed
        self._refusals = Refusals(cdp, denied)
        self.is_ready: asyncio.Future[None] = new_future()
        self.contact = Contact()
        self._lan = Lan()
        self._pins = self._pins_of({})
        self._frame = ""
        """The id of the main frame, which is that of its target."""
        self._session = ""
        self._look: Look | None = None
        self._url = ""
        self._document = ""
        """The request for the next document."""
        self._content = Content(self._paint)
        self._has_answered = self._has_painted = False
        self._has_scripts = True
        self._login = self._login_at("", ())
        self._frames = Frames(cdp, prepare=self._prepare_frame)

    @property
    def is_connected(self) -> bool:
        """Return True if its server can be reached, as far as the page tells."""
        return self.contact.reachable and self._login.is_connected

    @property
    def silence(self) -> Failure | None:
        """The reason why it has not painted, or no longer counts as connected; None before it was opened."""
        if not self._has_answered:
            return reasons.unanswered(self._url) if self._url else None
        return reasons.blank(self._url) if self.is_connected else reasons.disconnected(self._url)

    def find(self) -> None:
        """Find the page, and prepare it."""
        self._refusals.begin()
        self._cdp.say("Target.setDiscoverTargets", discover=True)

    def open(
        self, url: str, options: PageOptions, *, user_agent: str, web: WebSettings, logins: Sequence[Login] = ()
    ) -> None:
        """Go to an address. Called once, when the page is ready; `user_agent` is the browser's own."""
        self._url = url
        self._lan = Lan(web.lan_guests)
        self._lan.admit(self._cdp)
        self._pins = self._pins_of(web.pins)
        if not web.input:  # who cannot scroll needs no bar for it
            self._say("Emulation.setScrollbarsHidden", hidden=True)
        self._look = look = Look(self._cdp, self._session, options=options, failed=self._on_failed)
        self._login = login = self._login_at(url, logins)

        def navigate(address: str) -> None:
            self._say("Page.navigate", url=address, then=self._on_navigated)

        look.apply(user_agent, lambda: login.open(navigate))

    def allow_input(self, allowed: bool) -> None:
        """Let keyboard, mouse and touch reach the page, or stop that."""
        self._say("Input.setIgnoreInputEvents", ignore=not allowed)
        if allowed:  # keys are for its address bar at first, although nobody sees that
            self._say("Page.bringToFront")

    def fit(self) -> None:
        """Have the page fill its window, which may have been resized."""
        if self._look is not None:
            self._look.fit(lambda _: None)

    def reload(self) -> None:
        """Load the page again; the old one stays on the screen until the new one paints."""
        self._say("Page.reload")

    def go_to(self, url: str, then: Callable[[bool], None]) -> None:
        """Go to another view of the same application without a reload. `then` is called with False if that cannot be
        had; it is not called while the page works."""

        def answered(has_gone: bool) -> None:
            self._url = url if has_gone else self._url
            then(has_gone)

        self._login.go_to(url, answered)

    def draw(self, then: Callable[[], None]) -> None:
        """Have the page draw; `then` is called when it has, or when it has just gone to another address. A page that
        may run no scripts cannot tell, so it is called when that answers at all."""
        expression = _TWO_FRAMES if self._has_scripts else "1"
        self._say("Runtime.evaluate", expression=expression, awaitPromise=True, then=lambda _: then())

    def ask(self, then: Callable[[bool], None]) -> None:
        """Ask it for any answer; `then` is called with True if it lives, or has just gone to another address, and with
        False if it has crashed. It is not called while the page works."""
        self._say("Runtime.evaluate", expression="1", then=lambda result: then(_CRASHED not in result.get("error", "")))

    def hear(self, event: str, about: Mapping[str, Any], session: str) -> None:
        """Process an event of the browser or of one of its sessions."""
        domain, _, name = event.partition(".")
        if domain == "Target":
            self._on_target(name, about)
            self._frames.take(name, about)
        is_frame = session in self._frames
        if session and session != self._session and not is_frame:
            return
        self._refusals.take(event, about, session)
        self._pins.take(event, about, session)
        match event:
            case "Fetch.requestPaused" if self._lan.refuses(str((about.get("request") or {}).get("url", ""))):
                # A page that is shown stays; one that has shown nothing yet has failed.
                reason = "Aborted" if self._has_painted else "BlockedByClient"
                self._refusals.tell(PageRefusal.LAN)
                self._cdp.say("Fetch.failRequest", session=session, requestId=about["requestId"], errorReason=reason)
            case "Fetch.requestPaused":
                if then := self._login.next_of(about):
                    self._cdp.say(then[0], session=session, requestId=about["requestId"], **then[1])
            case "Fetch.authRequired":
                answer = self._login.answer_of(about)
                parts = {"requestId": about["requestId"], "authChallengeResponse": answer}
                self._cdp.say("Fetch.continueWithAuth", session=session, **parts)
            case "Network.responseReceived":
                self._login.take_response(about)
            case "Network.loadingFailed" if self._lan.refused(about):
                self._refusals.tell(PageRefusal.LAN)
            case "Runtime.executionContextCreated":
                self._login.take_context(about.get("context") or {}, self._frame)
            case "Runtime.bindingCalled":
                self._login.take_call(about)
        if not is_frame:
            self._hear_own(domain, name, about)

    def _hear_own(self, domain: str, name: str, about: Mapping[str, Any]) -> None:
        """Process an event of the page itself, and not of a frame with a process of its own."""
        match domain:
            case "Network":
                self._on_network(name, about)
                self.contact.take(name, about)
            case "Page":
                self._on_page(name, about)
            case "Inspector" if name in ("targetCrashed", "detached"):
                self._on_crashed()

    # --- what it says ---

    def _on_target(self, name: str, about: Mapping[str, Any]) -> None:
        target = about.get("targetInfo") or {}
        if name == "targetCreated" and target.get("type") == "page":
            if not self._frame:
                self._frame = str(target["targetId"])
                self._cdp.say("Target.attachToTarget", targetId=self._frame, flatten=True, then=self._on_attached)
            elif target["targetId"] != self._frame:
                self._cdp.say("Target.closeTarget", targetId=target["targetId"])
                self._refusals.closed()
        elif name in ("targetCrashed", "targetDestroyed") and about.get("targetId") == self._frame:
            self._on_crashed()

    def _on_attached(self, result: Mapping[str, Any]) -> None:
        self._session = str(result.get("sessionId", ""))
        intercept(self._cdp, self._session)
        self._frames.watch(self._session)
        self._say("Page.setLifecycleEventsEnabled", enabled=True)
        self._say("Inspector.enable")
        self._say("Input.setIgnoreInputEvents", ignore=True)
        self._say("Emulation.setFocusEmulationEnabled", enabled=True)
        self._refusals.prepare(self._session, then=lambda _: resolve(self.is_ready, None))

    def _prepare_frame(self, session: str) -> None:
        self._refusals.prepare(session)
        self._login.open_frame(session)

    def _on_navigated(self, result: Mapping[str, Any]) -> None:
        if result.get("isDownload"):
            self._on_failed(reasons.is_download(self._url))
        elif error := result.get("errorText") or result.get("error"):
            self._on_failed(self._not_loaded(str(error)))

    def _on_network(self, name: str, about: Mapping[str, Any]) -> None:
        of_document = about.get("type") == "Document" and about.get("frameId") == self._frame
        request = str(about.get("requestId", ""))
        answer = about.get("response") or about.get("redirectResponse") or {}
        if of_document:
            self._has_answered = name == "responseReceived"
            if self._has_answered:
                self._has_scripts = not _forbids_scripts(answer.get("headers") or {})
        if of_document and self._lan.take(answer):
            self._refusals.tell(PageRefusal.LAN)
            self._on_failed(reasons.not_loaded("ERR_BLOCKED_BY_LOCAL_NETWORK_ACCESS_CHECKS", self._url))
        elif name == "requestWillBeSent" and of_document:
            self._document = request
            self._url = str(about["request"]["url"])
        elif name == "responseReceived" and of_document and (status := int(about["response"]["status"])) >= 400:
            if not self._login.take_status(status, self._url):
                self._on_failed(reasons.answered(status, self._url))
        elif name != "loadingFailed" or request != self._document or about.get("canceled"):
            return
        elif (error := str(about.get("errorText", ""))) != "net::ERR_ABORTED":  # of a download: it stays where it is
            self._on_failed(self._not_loaded(error))

    def _on_page(self, name: str, about: Mapping[str, Any]) -> None:
        frame = about.get("frame") or {}
        if name == "frameNavigated" and frame.get("id") == self._frame:
            self._content.begin(str(frame.get("loaderId", "")))
            self.contact.moved(str(frame.get("url", "")))
            self._login.moved(str(frame.get("url", "")))
            if "unreachableUrl" in frame:
                self._on_failed(reasons.not_loaded("ERR_FAILED", str(frame["unreachableUrl"])))
        elif name == "lifecycleEvent" and about.get("frameId") == self._frame and self._url:
            self._content.take(str(about.get("name", "")), str(about.get("loaderId", "")))

    def _paint(self) -> None:
        is_due = self._content.is_there and self._login.is_ready
        if is_due and not self._has_painted and self._look is not None:
            self._has_painted = True
            self._say("Page.resetNavigationHistory")  # a mouse or a keyboard may have a key for the page before
            self._look.fit(lambda resized: self.draw(self._on_painted) if resized else self._on_painted())

    def _login_at(self, url: str, logins: Sequence[Login]) -> PageLogin:
        told: dict[str, Callable[..., None]] = {"refused": self._on_refused, "changed": self._paint}
        return PageLogin(self._cdp, self._session, url=url, logins=logins, **told)

    def _pins_of(self, pins: Mapping[str, str]) -> Pins:
        return Pins(self._cdp, pins, misused=lambda origin: self._on_failed(reasons.key_misused(origin)))

    def _not_loaded(self, error: str) -> Failure:
        return reasons.not_loaded(error, self._url, is_pinned=self._pins.covers(self._url))

    def _say(self, method: str, *, then: Callable[[Mapping[str, Any]], None] | None = None, **parameters: Any) -> None:
        self._cdp.say(method, session=self._session, then=then, **parameters)


def _forbids_scripts(headers: Mapping[str, Any]) -> bool:
    """Return True if the answer says that its document may run no scripts (CSP's `sandbox`)."""
    policies = (str(value) for name, value in headers.items() if name.lower() == "content-security-policy")
    rules = [rule.split() for policy in policies for rule in policy.lower().replace(",", ";").split(";")]
    return any(rule[:1] == ["sandbox"] and "allow-scripts" not in rule for rule in rules)
