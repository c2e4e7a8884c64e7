"""The expected state: the stack of sessions that were asked for and have not ended, kept without asking the agent."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from soak.media import Source

BLACK = "black"


@dataclass(slots=True)
class Wanted:
    """One session that was accepted."""

    id: str
    source: Source
    paused: bool = False
    broken: bool = False
    """Its server misbehaves."""
    shown: bool = False
    """Its picture has been on the screen since it came to the top, and is to stay there whatever its source does."""
    left_at: float | None = None
    """Seconds into its media when it was interrupted."""
    left_when: float = 0.0
    """Monotonic."""


@dataclass(slots=True)
class Model:
    """The bottom of the stack first."""

    stack: list[Wanted] = field(default_factory=list)
    volume: float = 1.0
    """The volume of the device."""

    @property
    def top(self) -> Wanted | None:
        return self.stack[-1] if self.stack else None

    @property
    def waiting(self) -> list[Wanted]:
        """The sessions underneath, the next to come back first."""
        return list(reversed(self.stack[:-1]))

    @property
    def taken(self) -> set[str]:
        """The colours that would be mistaken for something that is there already."""
        return {wanted.source.colour for wanted in self.stack}

    @property
    def colour(self) -> str:
        """The colour that is to be seen in the end."""
        top = self.top
        return BLACK if top is None or (top.broken and not top.shown) else top.source.colour

    def put(self, wanted: Wanted, *, interrupt: bool) -> list[Wanted]:
        """Put it on top; what it replaced."""
        replaced = [] if interrupt else self.stack
        if not interrupt:
            self.stack = []
        elif self.top is not None:
            self._covers(self.top)
        self.stack.append(wanted)
        return replaced

    def drop(self, *ids: str) -> list[Wanted]:
        """They have ended; what they were."""
        gone = [wanted for wanted in self.stack if wanted.id in ids]
        self.stack = [wanted for wanted in self.stack if wanted.id not in ids]
        return gone

    def screen_dies(self) -> None:
        """All pictures are gone, and players begin anew."""
        for wanted in self.stack:
            wanted.shown = False

    def daemon_dies(self) -> None:
        """Forget all that is not on the disk: a position there is up to 30 s late."""
        self.screen_dies()
        for wanted in self.stack:
            wanted.left_at = None

    def _covers(self, top: Wanted) -> None:
        top.shown = False
        top.left_when = time.monotonic()
