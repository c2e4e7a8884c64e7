"""Home Assistant's front-end, logged in as its own apps do it: `external_auth=1`, and a token for whoever asks
(https://developers.home-assistant.io/docs/frontend/external-authentication, .../external-bus)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from agent.player.chromium.login_secrets import Login

BINDING: Final = "castAgentHome"

LOADED_WITHIN_S: Final = 5.0
"""The longest wait from the connection to the end of the launch screen, which takes 1 s, and longer on a busy
machine."""

MESSAGE_LIMIT: Final = 4096
"""Characters of a message: the messages that are understood have some 100."""

EXPIRES_IN_S: Final = 86400
"""A long-lived token lasts for ten years; Home Assistant asks for it again after this time, and gets the same one."""

_FORM_PATH: Final = "/auth/authorize"
"""The path at which Home Assistant asks a person to log in."""

_SCRIPT: Final = """
if (window === window.top && location.origin === %s) {
  const tell = call => payload => %s(JSON.stringify({call, payload}))
  window.externalApp = {
    getExternalAuth: tell("token"), revokeExternalAuth: tell("revoke"), externalBus: tell("bus"),
  }
  const launch = new MutationObserver(() => {
    if (document.readyState === "loading" || document.getElementById("ha-launch-screen")) return
    launch.disconnect()
    tell("launched")("{}")
  })
  launch.observe(document, {childList: true, subtree: true})
}"""

# As the front-end itself does it (src/common/navigate.ts).
_NAVIGATE: Final = """
(() => {
  if (!document.querySelector("home-assistant")) return false
  history.replaceState(history.state?.root ? {root: true} : null, "", %s)
  dispatchEvent(new CustomEvent("location-changed", {detail: {replace: true}}))
  return true
})()"""

_CONFIG: Final = {"hasSettingsScreen": False, "hasSidebar": True, "canWriteTag": False, "hasExoPlayer": False}
"""The configuration of an app with a sidebar of its own: Home Assistant hides its own sidebar then."""


class HomeAssistant:
    """One page of Home Assistant. `run` evaluates an expression in the context that made a call. `changed` is called
    when `is_connected` or `is_ready` has changed, `refused` when Home Assistant has refused the token. The token is not
    given again then: each try counts towards a ban of this box."""

    def __init__(
        self,
        login: Login,
        run: Callable[[str, int], None],
        *,
        changed: Callable[[], None],
        refused: Callable[[Login], None],
    ) -> None:
        self.login = login
        self._run = run
        self._on_changed = changed
        self._on_refused = refused
        self._is_refused = False
        self._launch: asyncio.TimerHandle | None = None
        """The timer after which the page counts as ready without its cards."""
        self.is_connected = False
        self.is_ready = False
        """True once it has been connected and its cards are there."""

    @property
    def script(self) -> str:
        """The script for each new document."""
        return _SCRIPT % (json.dumps(self.login.origin), BINDING)

    @staticmethod
    def address(url: str) -> str:
        """The address, with the parameter that makes the front-end ask for its token."""
        parts = urlsplit(url)
        if "external_auth=1" in parts.query.split("&"):
            return url
        return parts._replace(query=f"{parts.query}{'&' if parts.query else ''}external_auth=1").geturl()

    def navigation(self, url: str) -> str:
        """The expression that takes the front-end to another of its views, and is true if it is there to be taken."""
        return _NAVIGATE % json.dumps(self.address(url))

    def moved(self, url: str) -> None:
        """Note that the document is another one."""
        self._give_time(None)
        self.is_connected = self.is_ready = False
        if url.startswith(f"{self.login.origin}{_FORM_PATH}"):
            self._refuse()

    def hear(self, text: str, context: int) -> None:
        """Process a call that the front-end made in this context. An invalid one is ignored: any script of the page may
        call."""
        try:
            call = json.loads(text[:MESSAGE_LIMIT])
            asked = json.loads(call["payload"])
            match call["call"]:
                case "token":
                    self._give(context, is_second=bool(asked.get("force")))
                case "bus":
                    self._take(asked, context)
                case "launched":
                    self._set_ready()
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return

    def _give(self, context: int, *, is_second: bool) -> None:
        if is_second and not self.is_connected:  # the first one did not get it in
            self._refuse()
        elif is_second:  # what a card asked for is not for this user; the connection stands
            self._call("externalAuthSetToken(false)", context)
        elif not self._is_refused:
            token = {"access_token": self.login.secret, "expires_in": EXPIRES_IN_S}
            self._call(f"externalAuthSetToken(true, {json.dumps(token)})", context)

    def _take(self, message: Mapping[str, Any], context: int) -> None:
        kind = message.get("type")
        if kind == "config/get":
            answer = {"id": message["id"], "type": "result", "success": True, "result": _CONFIG}
            self._call(f"externalBus({json.dumps(answer)})", context)
        elif kind == "connection-status":
            self._set_connected(str(message["payload"]["event"]))
        elif kind == "frontend/loaded":  # from 2026.11 on
            self._set_ready()

    def _set_connected(self, status: str) -> None:
        if status == "auth-invalid":
            self._refuse()
        elif status in ("connected", "disconnected"):
            was, self.is_connected = self.is_connected, status == "connected"
            if self.is_connected and not was:
                self._give_time(LOADED_WITHIN_S)
            self._on_changed()

    def _give_time(self, seconds: float | None) -> None:
        """Wait so long for its cards; None ends the wait."""
        if self._launch is not None:
            self._launch.cancel()
        self._launch = asyncio.get_running_loop().call_later(seconds, self._set_ready) if seconds else None

    def _set_ready(self) -> None:
        if self.is_connected and not self.is_ready:
            self.is_ready = True
            self._on_changed()

    def _refuse(self) -> None:
        self._is_refused, self.is_connected = True, False
        self._on_refused(self.login)

    def _call(self, call: str, context: int) -> None:
        """Call the front-end in its own main frame only, whichever script has asked: nobody else may get the token."""
        here = f"window === window.top && location.origin === {json.dumps(self.login.origin)}"
        self._run(f"if ({here}) window.{call}", context)
