"""Whether a document has painted its content, as the browser tells (`Page.lifecycleEvent`)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

BARE_AFTER_S: Final = 2.0
"""The time without requests to its server after which a page that has painted something counts as complete. A page
without any content has no first contentful paint."""

_BARE: Final = {"firstPaint", "networkIdle"}
"""The signs that a page without content is complete."""


class Content:
    """The content of one document after the other. `painted` is called when one has painted it."""

    def __init__(self, painted: Callable[[], None]) -> None:
        self._on_painted = painted
        self._signs: set[str] = set()
        self._loader = ""
        """The id of the document."""
        self.is_there = False
        """True once any document has painted content."""

    def begin(self, loader: str) -> None:
        """Note that the document is another one."""
        self._loader = loader
        self._signs.clear()

    def take(self, sign: str, loader: str) -> None:
        """Process the sign of a document."""
        if loader != self._loader:
            return
        self._signs.add(sign)
        if sign == "firstContentfulPaint":
            self._paint(loader)
        elif sign in _BARE <= self._signs:
            asyncio.get_running_loop().call_later(BARE_AFTER_S, self._paint, loader)

    def _paint(self, loader: str) -> None:
        if loader == self._loader:
            self.is_there = True
            self._on_painted()
