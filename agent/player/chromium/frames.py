"""Frames of other sites, each of which has a process of its own, and a session of its own in the DevTools protocol."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from agent.player.chromium.cdp import Cdp


class Frames:
    """The frames of one page. `prepare` is called with the session of each, before its first script runs."""

    def __init__(self, cdp: Cdp, *, prepare: Callable[[str], None]) -> None:
        self._cdp = cdp
        self._prepare = prepare
        self._sessions: set[str] = set()

    def __contains__(self, session: str) -> bool:
        return session in self._sessions

    def watch(self, session: str) -> None:
        """Watch for frames within this session; they wait until they are prepared."""
        self._cdp.say(
            "Target.setAutoAttach",
            session=session,
            autoAttach=True,
            waitForDebuggerOnStart=True,
            flatten=True,
            filter=[{"type": "iframe"}],
        )

    def take(self, name: str, about: Mapping[str, Any]) -> None:
        """Process an event of the domain Target, whose name is left out of `name`."""
        session = str(about.get("sessionId", ""))
        if name == "attachedToTarget" and (about.get("targetInfo") or {}).get("type") == "iframe":
            self._sessions.add(session)
            intercept(self._cdp, session)
            self.watch(session)
            self._prepare(session)
            self._cdp.say("Runtime.runIfWaitingForDebugger", session=session)
        elif name == "detachedFromTarget":
            self._sessions.discard(session)


def intercept(cdp: Cdp, session: str) -> None:
    """Have each request of a frame held until it is answered. Otherwise a server that asks for a password would have
    the browser ask a person."""
    cdp.say("Page.enable", session=session)
    cdp.say("Network.enable", session=session, maxTotalBufferSize=0, maxResourceBufferSize=0, maxPostDataSize=0)
    cdp.say("Fetch.enable", session=session, handleAuthRequests=True, patterns=[{"urlPattern": "*"}])
