"""The login of one page: what its requests and its scripts get, and how a refusal is noticed."""

from __future__ import annotations

import json
import secrets
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

import structlog

from agent.config.logins import LoginKind
from agent.media.origins import origin_of
from agent.player import reasons as shared
from agent.player.chromium import home_assistant
from agent.player.chromium.cdp import Cdp
from agent.player.chromium.home_assistant import HomeAssistant
from agent.player.chromium.login_secrets import Login
from agent.types import ErrorCode, Failure

QUESTIONS_KEPT: Final = 1000
"""The number of requests whose password is remembered. A server that asks a second time for the same one refuses it,
and does so at once."""

_WORLD: Final = "cast-agent"
"""The world in which our scripts see the page while the page sees nothing of them."""

_FORM: Final = "castAgentForm"

# A hidden field, or one far down, does not make it a login page.
_WATCH_FORMS: Final = """
if (window === window.top || %s.includes(location.origin)) {
  const isSeen = field => {
    const place = field.getBoundingClientRect()
    return field.checkVisibility({opacityProperty: true, visibilityProperty: true}) &&
      place.bottom > 0 && place.top < innerHeight && place.right > 0 && place.left < innerWidth
  }
  const look = () => {
    if (![...document.querySelectorAll('input[type="password"]')].some(isSeen)) return
    %s(location.origin)
    const hold = new XMLHttpRequest()
    hold.open("GET", location.origin + "%s", false)
    hold.send()
  }
  new MutationObserver(look).observe(document, {childList: true, subtree: true})
  setInterval(look, 500)
}"""

# Once: what the page makes of it later, or that it throws it away, is not taken back.
_STORE: Final = """
if (location.origin === %(origin)s && !sessionStorage.getItem(%(mark)s)) {
  sessionStorage.setItem(%(mark)s, "1")
  localStorage.setItem(%(name)s, %(secret)s)
}"""

log = structlog.get_logger(__name__)


class PageLogin:
    """The log-in of the page at `url`, with those of `logins` that are for it. `refused` is told once, with what to do;
    `changed` is called when `is_connected` or `is_ready` may have changed."""

    def __init__(
        self,
        cdp: Cdp,
        session: str,
        *,
        url: str,
        logins: Sequence[Login],
        refused: Callable[[Failure], None],
        changed: Callable[[], None],
    ) -> None:
        self._cdp = cdp
        self._session = session
        self._url = url
        self._logins = logins
        self._on_refused = refused
        self._is_refused = False
        self._here = origin_of(url)
        """The origin of what the main frame shows."""
        own = self._of(self._here)
        self._is_ours = bool(own)
        """True if a login is for this page: a form that asks for a password is a refusal then."""
        self._hold = f"/.well-known/cast-agent-{secrets.token_hex(8)}"
        """The path of a request that is held and never answered: the page stands still before it has drawn its form."""
        self._context = 0
        """The context of the scripts of the main frame."""
        self._questions: deque[str] = deque(maxlen=QUESTIONS_KEPT)
        home = next((login for login in own if login.kind is LoginKind.HOME_ASSISTANT), None)
        self._home = HomeAssistant(home, self._run, changed=changed, refused=self._refuse) if home else None

    @property
    def is_connected(self) -> bool:
        """Return True if the page has a connection to its server, as far as it tells: only Home Assistant's does."""
        return not self._is_home or self._home is None or self._home.is_connected

    @property
    def is_ready(self) -> bool:
        """Return True if the page need not be waited for any longer."""
        return not self._is_home or self._home is None or self._home.is_ready

    def open(self, then: Callable[[str], None]) -> None:
        """Prepare everything before the first request, and then call `then` with the address to open."""
        if not self._logins:
            then(self._url)
            return
        unread = next((login for login in self._of(self._here) if login.problem), None)
        if unread is not None:
            self._refuse(unread, unread.problem)
            return
        commands = self._for_frame()
        if cookies := [_cookie(login) for login in self._known(LoginKind.COOKIE)]:
            commands.append(("Network.setCookies", {"cookies": cookies}))
        if self._home is not None:
            commands.append(("Runtime.addBinding", {"name": home_assistant.BINDING}))
            commands.append(("Page.addScriptToEvaluateOnNewDocument", {"source": self._home.script}))
        address = self._home.address(self._url) if self._home is not None else self._url
        left = len(commands)

        def answered(result: Mapping[str, Any]) -> None:
            nonlocal left
            left -= 1
            if error := result.get("error"):
                log.warning("login_setup_failed", reason=str(error))
            if not left:
                then(address)

        for method, parameters in commands:
            self._cdp.say(method, session=self._session, then=answered, **parameters)

    def open_frame(self, session: str) -> None:
        """Prepare a frame with a process of its own in the same way."""
        for method, parameters in self._for_frame():
            self._cdp.say(method, session=session, **parameters)

    def go_to(self, url: str, then: Callable[[bool], None]) -> None:
        """Go to another view of Home Assistant; `then` is called with False if it takes a new page to show that."""
        if self._home is None or not self._is_home or not self._home.is_ready or origin_of(url) != self._here:
            then(False)
            return
        self._cdp.say(
            "Runtime.evaluate",
            session=self._session,
            expression=self._home.navigation(url),
            contextId=self._context,
            then=lambda result: then((result.get("result") or {}).get("value") is True),
        )

    # --- what becomes of it ---

    def moved(self, url: str) -> None:
        """Note that the main frame shows another document."""
        self._here = origin_of(url)
        if self._home is not None:
            self._home.moved(url)

    def take_context(self, context: Mapping[str, Any], frame: str) -> None:
        """Process a new context for scripts (`Runtime.executionContextCreated`); `frame` is the main frame."""
        where = context.get("auxData") or {}
        if where.get("isDefault") and where.get("frameId") == frame:
            self._context = int(context["id"])

    def next_of(self, about: Mapping[str, Any]) -> tuple[str, dict[str, Any]] | None:
        """The command, with its parameters, that lets a request continue (`Fetch.requestPaused`); None for a request
        that is held."""
        request = about.get("request") or {}
        url = str(request.get("url", ""))
        if self._is_ours and url.endswith(self._hold):
            self._take_form(origin_of(url))
            return None
        own = self._of(origin_of(url))
        if own and self._is_refused:
            return "Fetch.failRequest", {"errorReason": "Aborted"}
        headers = dict(login.header for login in own if login.kind is LoginKind.HEADER and not login.problem)
        if not headers:
            return "Fetch.continueRequest", {}
        given = {name.lower() for name in headers}
        kept = {name: value for name, value in request.get("headers", {}).items() if name.lower() not in given}
        every = [{"name": name, "value": value} for name, value in (kept | headers).items()]
        return "Fetch.continueRequest", {"headers": every}

    def answer_of(self, about: Mapping[str, Any]) -> dict[str, str]:
        """The answer to a server that asks for a password (`Fetch.authRequired`)."""
        asked = str((about.get("authChallenge") or {}).get("origin", ""))
        request = str(about.get("requestId", ""))
        for login in self._of(origin_of(asked), LoginKind.BASIC):
            if login.problem or self._is_refused:
                continue
            if request in self._questions:
                self._refuse(login)
            else:
                self._questions.append(request)
                return {"response": "ProvideCredentials", "username": login.user, "password": login.secret}
        return {"response": "CancelAuth"}

    def take_response(self, about: Mapping[str, Any]) -> None:
        """Process an answer to a request (`Network.responseReceived`). The status 401 refuses a token."""
        response = about.get("response") or {}
        if response.get("status") == 401 and about.get("type") != "Preflight":
            for login in self._of(origin_of(str(response.get("url", ""))), LoginKind.HEADER):
                self._refuse(login)

    def take_status(self, status: int, url: str) -> bool:
        """Return True if the status of the page itself, from 400 on, means that its log-in is refused."""
        own = self._of(origin_of(url))
        if status not in (401, 403) or not own:
            return False
        where = shared.source_name(url)
        sentence = (
            f"{where} answered 403: whoever [[login]] logs in there may not see this page. Give that user access."
        )
        self._refuse(own[0], sentence if status == 403 else "")
        return True

    def take_call(self, about: Mapping[str, Any]) -> None:
        """Process a call of one of our scripts, or of Home Assistant's front-end (`Runtime.bindingCalled`)."""
        name, text, context = about.get("name"), str(about.get("payload", "")), about.get("executionContextId")
        if name == home_assistant.BINDING and self._home is not None and self._is_home and context == self._context:
            self._home.hear(text, self._context)
        elif name == _FORM:
            self._take_form(text)

    # --- within ---

    @property
    def _is_home(self) -> bool:
        return self._home is not None and self._home.login.origin == self._here

    def _take_form(self, origin: str) -> None:
        login = next(iter(self._of(origin)), self._of(origin_of(self._url))[0])
        where = shared.source_name(origin)
        self._refuse(login, f"{where} asks for a password instead of showing the page. {_advice(login)}")

    def _of(self, origin: str, kind: LoginKind | None = None) -> list[Login]:
        return [login for login in self._logins if login.origin == origin and kind in (None, login.kind)]

    def _known(self, kind: LoginKind) -> list[Login]:
        return [login for login in self._logins if login.kind is kind and not login.problem]

    def _for_frame(self) -> list[tuple[str, dict[str, Any]]]:
        """The commands for each frame that has a process of its own. A service worker would send its requests without
        what we add."""
        if not self._logins:
            return []
        commands: list[tuple[str, dict[str, Any]]] = [("Network.setBypassServiceWorker", {"bypass": True})]
        sources = [_store(login) for login in self._known(LoginKind.LOCAL_STORAGE)]
        if self._is_ours:
            commands.append(("Runtime.enable", {}))  # a page in another process has no bindings otherwise
            commands.append(("Runtime.addBinding", {"name": _FORM, "executionContextName": _WORLD}))
            origins = json.dumps([login.origin for login in self._logins])
            sources.append(_WATCH_FORMS % (origins, _FORM, self._hold))
        for source in sources:
            script = {"source": source, "worldName": _WORLD}
            commands.append(("Page.addScriptToEvaluateOnNewDocument", script))
        return commands

    def _run(self, expression: str, context: int) -> None:
        self._cdp.say("Runtime.evaluate", session=self._session, expression=expression, contextId=context)

    def _refuse(self, login: Login, sentence: str = "") -> None:
        if self._is_refused:
            return
        self._is_refused = True
        where = shared.source_name(login.entry)
        sentence = sentence or f"{where} refuses the secret that it is logged in with. {_advice(login)}"
        self._on_refused(shared.failure(ErrorCode.PAGE_LOGIN, sentence))


def _advice(login: Login) -> str:
    return (
        f"Its log-in has expired, was revoked, or is wrong: put a new secret into [[login]] for {login.entry}, or "
        "into its file, and start the page again."
    )


def _cookie(login: Login) -> dict[str, Any]:
    """The cookie, for this origin alone and hidden from scripts."""
    parts = urlsplit(login.origin)
    is_secure = parts.scheme == "https"
    source = {"sourceScheme": "Secure" if is_secure else "NonSecure", "sourcePort": parts.port or (80, 443)[is_secure]}
    more = {"path": "/", "httpOnly": True, "secure": is_secure}
    return {"name": login.name, "value": login.secret, "url": f"{login.origin}/", **more, **source}


def _store(login: Login) -> str:
    parts = {
        "origin": login.origin,
        "mark": f"cast-agent:{login.name}",
        "name": login.name,
        "secret": login.secret,
    }
    return _STORE % {key: json.dumps(value) for key, value in parts.items()}
