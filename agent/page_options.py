"""The options of a web page, and the pages that follow it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any, Final

SHOWN_FOR_S: Final = 30.0
"""A page of several, where nobody says for how long."""


@dataclass(frozen=True, slots=True)
class PageTurn:
    """One of several pages that follow one another."""

    url: str
    seconds: float | None = None
    """Seconds for which it is shown; None for those of the first page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PageOptions:
    """Options for showing a web page. None leaves a value to the page, or to the browser."""

    zoom: float | None = None
    """0.25-5; 2 shows everything twice as large."""
    scroll: int | None = None
    """Pixels of the page, at its own zoom, that are above the screen."""
    dark: bool | None = None
    """True if the page is told that dark colours are preferred."""
    css: str | None = None
    """Rules that count beside those of the page."""
    language: str | None = None
    """A language such as `de` or `pt-BR`."""
    time_zone: str | None = None
    """A time zone such as `Europe/Berlin`."""
    user_agent: str | None = None
    seconds: float | None = None
    """Seconds for which the page is shown before the first of `then` has its turn."""
    then: tuple[PageTurn, ...] = ()
    """Pages that follow one another, from the first on again after the last."""

    def given(self) -> dict[str, Any]:
        """Its fields as plain JSON, without those that are left out."""
        given = {name: value for name, value in asdict(self).items() if value not in (None, ())}
        return given | ({"then": list(given["then"])} if self.then else {})

    def alone(self) -> PageOptions:
        """The same for another page, which none follow."""
        return replace(self, seconds=None, then=())

    def rotation(self, url: str) -> tuple[tuple[str, float], ...]:
        """The page at `url` and those after it, each with its seconds; none where it is one alone."""
        if not self.then:
            return ()
        first_s = SHOWN_FOR_S if self.seconds is None else self.seconds
        return ((url, first_s), *((turn.url, turn.seconds or first_s) for turn in self.then))
