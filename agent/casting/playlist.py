"""What a session plays, one after the other: an address, or the entries of the playlist that it led to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

LISTS_IN_EACH_OTHER = 3
"""What stations of a directory need is two; a list that names itself ends here."""

ENTRIES_LIMIT = 100
"""Of all lists together."""


@dataclass(frozen=True, slots=True)
class _Entry:
    url: str
    depth: int = 0
    """In how many lists it lies."""
    origin: int = 0
    """Which entry of the first list it is, or came from."""


class Playlist:
    """Begins as one address. `wanted` is the entry of the first list at which to begin, counted from 0."""

    def __init__(self, url: str) -> None:
        self.wanted = 0
        self._entries = [_Entry(url)]
        self._at = 0

    @property
    def url(self) -> str:
        """What is to be played now."""
        return self._entries[self._at].url

    @property
    def entry(self) -> int:
        """Of the first list, counted from 0: the one that is played, or that led to it; 0 without a list."""
        return self._entries[self._at].origin

    @property
    def has_next(self) -> bool:
        return self._at + 1 < len(self._entries)

    def take(self, urls: Sequence[str]) -> bool:
        """Play these, in order, in place of what turned out to be a list of them; False when lists lie too deep in each
        other."""
        at, now = self._at, self._entries[self._at]
        depth = now.depth + 1
        if depth > LISTS_IN_EACH_OTHER:
            return False
        added = urls[: ENTRIES_LIMIT + 1 - len(self._entries)]
        self._entries[at : at + 1] = [
            _Entry(url, depth, number if depth == 1 else now.origin) for number, url in enumerate(added)
        ]
        if depth == 1:
            self._at = min(self.wanted, len(added) - 1)
        return True

    def skip(self) -> bool:
        """Go to the next entry; False when there is none."""
        if not self.has_next:
            return False
        self._at += 1
        return True

    def rewind(self) -> None:
        """Begin again with the first entry."""
        self._at = 0
