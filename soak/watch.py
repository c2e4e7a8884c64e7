"""Eyes that never close: the screen 40 times a second and /status beside it, compared all the time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from tests.support.clips import BOX_ROW
from tests.support.colours import name_of
from tests.support.screen import Screen

LOOK_EVERY_S = 0.025
"""The clips have 25 pictures a second; anything that is shown for two of them is seen."""
ASK_EVERY_S = 0.25
"""The interval at which a player reports."""
MOVES_WITHIN_S = 0.6
"""A pause in the movement up to this is a busy machine."""
TOLD_WITHIN_S = 3.0
"""The longest time from standing still to a status that says so: 1.5 s until it counts as still, reports and polls 0.25
s each, and a busy machine."""
TOLD_MOVING_S = 2.0
"""The longest time from moving to a status that says so: two reports of 0.25 s, a poll, and a busy machine."""
GRACE_S = 0.5
"""The delay up to which the pixels may follow a status."""


@dataclass(frozen=True, slots=True)
class Seen:
    """The screen now. Times are monotonic."""

    at: float
    colour: str
    """Empty while there is no X server."""
    since: float
    """The time at which it became this colour."""
    moved_at: float
    moving_since: float
    """The time at which the current movement began; meaningless while nothing moves."""

    @property
    def moves(self) -> bool:
        return self.at - self.moved_at < MOVES_WITHIN_S


class Watch:
    """`with Watch(":7", ask) as watch`. `ask` gives /status, or raises OSError."""

    def __init__(self, display: str, ask: Callable[[], Any]) -> None:
        self._display = display
        self._ask = ask
        self._lock = threading.Lock()
        self._over = threading.Event()
        now = time.monotonic()
        self._seen = Seen(now, "", now, 0.0, 0.0)
        self._row = b""
        self._allowed: frozenset[str] | None = None
        self._strays: dict[str, float] = {}
        self._lies: list[str] = []
        self._said = ("", "")
        self._said_since = now
        self._told = False
        self.slowest_s = 0.0
        """The longest that /status took."""
        self._threads = [
            threading.Thread(target=self._look_on, name="soak-eyes", daemon=True),
            threading.Thread(target=self._ask_on, name="soak-questions", daemon=True),
        ]

    def __enter__(self) -> Watch:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(5.0)

    @property
    def seen(self) -> Seen:
        with self._lock:
            return self._seen

    def allow(self, colours: Collection[str] | None) -> None:
        """Allow only these colours from now on; None allows all."""
        with self._lock:
            self._allowed = None if colours is None else frozenset(colours)

    def take_strays(self) -> list[str]:
        """The unexpected colours seen since the last call, as texts."""
        with self._lock:
            strays, self._strays = self._strays, {}
        return [f"{colour} was seen for about {seconds * 1000:.0f} ms" for colour, seconds in strays.items()]

    def take_lies(self) -> list[str]:
        """The times at which status and pixels disagreed since the last call, as texts."""
        with self._lock:
            lies, self._lies = self._lies, []
        return lies

    def _look_on(self) -> None:
        screen: Screen | None = None
        while not self._over.wait(LOOK_EVERY_S):
            try:
                screen = screen or Screen(self._display, guarded=False)
                width, height = screen.size()
                centre, row = screen.areas([(width // 2, height // 2, 1, 1), (0, int(height * BOX_ROW), width, 1)])
                self._take(name_of((centre[2], centre[1], centre[0])), row)
            except ConnectionError:
                if screen is not None:
                    screen.close()
                screen = None
                self._take("", b"")
        if screen is not None:
            screen.close()

    def _take(self, colour: str, row: bytes) -> None:
        with self._lock:
            now, before = time.monotonic(), self._seen
            moved = bool(row) and row != self._row
            self._row = row
            went_on = now - before.moved_at < MOVES_WITHIN_S
            self._seen = Seen(
                at=now,
                colour=colour,
                since=before.since if colour == before.colour else now,
                moved_at=now if moved else before.moved_at,
                moving_since=now if moved and not went_on else before.moving_since,
            )
            if colour and self._allowed is not None and colour not in self._allowed:
                self._strays[colour] = self._strays.get(colour, 0.0) + min(now - before.at, 1.0)

    def _ask_on(self) -> None:
        while not self._over.wait(ASK_EVERY_S):
            began = time.monotonic()
            try:
                status = self._ask()
            except (OSError, ValueError):
                self._compare("", "")  # it is being started again
                continue
            self.slowest_s = max(self.slowest_s, time.monotonic() - began)
            stream = status["stream"]
            if stream is None or status["on_screen"] != stream["session_id"] or stream["media_type"] != "video":
                self._compare("", "")
            else:
                self._compare(stream["session_id"], stream["state"])

    def _compare(self, session: str, state: str) -> None:
        with self._lock:
            now, seen = time.monotonic(), self._seen
            if (session, state) != self._said:
                self._said, self._said_since, self._told = (session, state), now, False
            if self._told or not seen.colour or now - seen.at > GRACE_S:
                return
            if state == "playing" and now - max(seen.moved_at, self._said_since) > TOLD_WITHIN_S:
                self._lies.append(
                    f"/status says playing, and the picture has not moved for {now - seen.moved_at:.1f} s"
                )
                self._told = True
            moving_s = now - max(seen.moving_since, self._said_since)
            if state in ("buffering", "paused") and seen.moves and moving_s > TOLD_MOVING_S:
                self._lies.append(f"/status says {state}, and the picture has moved for {moving_s:.1f} s")
                self._told = True
