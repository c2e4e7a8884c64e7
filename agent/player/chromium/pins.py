"""Keys for which the configuration vouches (`[web] pins`), each for one origin. Chromium accepts them from every server
(`--ignore-certificate-errors-spki-list`), so the certificates of all that a page loads are compared with them here."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from typing import Any, Final

from agent.host.trust import pin_of
from agent.media.origins import origin_of
from agent.player.chromium.cdp import Cdp

ASKED_LIMIT: Final = 1000
"""The most origins whose certificates are remembered. A page has some dozens; those of one that exceeds it are asked
for again."""


class Pins:
    """The pins of one page, by origin. `misused` is called with an origin that has shown the key of another one."""

    def __init__(self, cdp: Cdp, pins: Mapping[str, str], *, misused: Callable[[str], None]) -> None:
        self._cdp = cdp
        self._pins = pins
        self._on_misused = misused
        self._asked: set[tuple[str, str]] = set()

    def covers(self, url: str) -> bool:
        """Return True if this address is one of a pinned origin."""
        return origin_of(url) in self._pins

    def take(self, event: str, about: Mapping[str, Any], session: str) -> None:
        """Process an event of a session: a server that answered has shown its certificate. That of a document is known
        once the document is there."""
        if event == "Page.frameNavigated":
            frame = about.get("frame") or {}
            if "parentId" not in frame:
                self._asked.clear()
            self._look(str(frame.get("url", "")), session)
        elif event == "Network.responseReceived" and about.get("type") != "Document":
            self._look(str((about.get("response") or {}).get("url", "")), session)

    def _look(self, url: str, session: str) -> None:
        origin = origin_of(url)
        foreign = frozenset(self._pins.values()) - {self._pins.get(origin)}
        if not foreign or not origin.startswith("https:") or (origin, session) in self._asked:
            return

        def answered(result: Mapping[str, Any]) -> None:
            chain = [base64.b64decode(one) for one in result.get("tableNames", ())]
            if not chain:  # the answer came from no network
                self._asked.discard((origin, session))
            elif not foreign.isdisjoint(map(pin_of, chain)):
                self._on_misused(origin)

        if len(self._asked) >= ASKED_LIMIT:
            self._asked.clear()
        self._asked.add((origin, session))
        self._cdp.say("Network.getCertificate", session=session, origin=origin, then=answered)
