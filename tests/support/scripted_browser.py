"""A browser with one page, as a test scripts it: the other end of the DevTools protocol."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from agent.player.base import PageRefusal
from agent.player.chromium.cdp import END, Cdp
from agent.player.chromium.companion import Companion
from agent.player.chromium.page import Page
from agent.types import Failure

URL = "http://user:secret@panel.lan:3000/wall"
MAIN, SESSION = "T1", "S1"


class ScriptedBrowser:
    """The other end: takes commands, and answers as it is scripted to."""

    def __init__(self) -> None:
        self.said: list[dict[str, Any]] = []
        self.results: dict[str, Mapping[str, Any]] = {"Target.attachToTarget": {"sessionId": SESSION}}
        self.refuses = ""
        """The command that it does not know."""
        self.painted = 0
        self.crashed = 0
        self.failures: list[Failure] = []
        self.refusals: list[Failure] = []
        self.denials: list[PageRefusal] = []
        self.cdp = Cdp(self._take, on_event=lambda *event: self.page.hear(*event))
        self.companion = Companion(self.cdp)
        self.page = Page(
            self.cdp,
            painted=self._paint,
            failed=self.failures.append,
            refused=self.refusals.append,
            crashed=self._crash,
            denied=self.denials.append,
        )

    @classmethod
    def with_page(cls, *, refusing: str = "") -> ScriptedBrowser:
        """A browser whose page is ready."""
        made = cls()
        made.refuses = refusing
        made.page.find()
        made.tell("Target.targetCreated", "", targetInfo={"targetId": MAIN, "type": "page"})
        made.answer()
        assert "Input.setIgnoreInputEvents" in made.methods
        made.answer()
        assert made.page.is_ready.done()
        return made

    def _take(self, message: bytes) -> None:
        assert message.endswith(END)
        self.said.append(json.loads(message[:-1]))

    def _paint(self) -> None:
        self.painted += 1

    def _crash(self) -> None:
        self.crashed += 1

    def answer(self) -> None:
        """All that it was asked so far."""
        said, self.said = self.said, []
        for command in said:
            answer: dict[str, Any] = {"id": command["id"], "result": self.results.get(command["method"], {})}
            if command["method"] == self.refuses:
                answer = {"id": command["id"], "error": {"message": "not known"}}
            self.cdp.hear(json.dumps(answer).encode() + END)

    def tell(self, event: str, session: str = SESSION, **about: Any) -> None:
        message = {"method": event, "params": about, **({"sessionId": session} if session else {})}
        self.cdp.hear(json.dumps(message).encode())

    def commit(self, loader: str, url: str = URL, **more: Any) -> None:
        self.tell("Page.frameNavigated", frame={"id": MAIN, "loaderId": loader, "url": url, **more})

    def sign(self, name: str, loader: str, frame: str = MAIN) -> None:
        self.tell("Page.lifecycleEvent", frameId=frame, loaderId=loader, name=name)

    @property
    def methods(self) -> list[str]:
        return [command["method"] for command in self.said]
