"""The media of a session, one after the other: an address, or the entries of the playlist that it led to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

LISTS_IN_EACH_OTHER = 3
"""Stations of a directory need two; a list that names itself ends here."""

ENTRIES_LIMIT = 100
"""Entries of all lists together."""


@dataclass(frozen=True, slots=True)
class _Entry:
    url: str
    depth: int = 0
    """The number of lists around it."""
    origin: int = 0
    """The entry of the first list that it is, or came from."""


class Playlist:
    """Begins as one address, or as pages in `rotation`, which follow one another without end, each with the seconds for
    which it is shown."""

    def __init__(self, url: str, rotation: Sequence[tuple[str, float]] = ()) -> None:
        self._wanted = 0
        """The entry of the first list at which to begin, counted from 0."""
        self._entries = [_Entry(page, origin=number) for number, (page, _) in enumerate(rotation)] or [_Entry(url)]
        self._seconds = [seconds for _, seconds in rotation]
        self._at = 0
        self._failed = 0
        """Pages of a rotation in a row that could not be shown."""

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def rotates(self) -> bool:
        return bool(self._seconds)

    @property
    def shown_for_s(self) -> float | None:
        """Seconds until the next page has its turn; None without a rotation."""
        return self._seconds[self._at] if self._seconds else None

    @property
    def wanted(self) -> int:
        return self._wanted

    def begin_at(self, entry: int) -> None:
        """Begin with this entry of the first list, counted from 0."""
        self._wanted = entry
        if self._seconds:
            self._at = entry % len(self._entries)

    def turn(self) -> None:
        """Give the turn to the next page of a rotation; a page alone has every turn."""
        if self._seconds:
            self._at = (self._at + 1) % len(self._entries)

    def leave_out(self) -> bool:
        """Take the page of a rotation that has its turn out of it for good: it is the turn of the one before it. False
        where there is no other one."""
        if len(self._seconds) < 2:
            return False
        del self._entries[self._at], self._seconds[self._at]
        self._at = (self._at - 1) % len(self._entries)
        return True

    def shown(self) -> None:
        """Record that the current entry was shown."""
        self._failed = 0

    @property
    def url(self) -> str:
        """The address to play now."""
        return self._entries[self._at].url

    @property
    def entry(self) -> int:
        """The index, from 0, of the current entry in the first list: the one that plays, or that led to the one that
        plays; 0 without a list."""
        return self._entries[self._at].origin

    @property
    def has_next(self) -> bool:
        """Return True if another entry can be tried in place of the current one."""
        if self._seconds:
            return self._failed + 1 < len(self._entries)
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
            self._at = min(self._wanted, len(added) - 1)
        return True

    def skip(self) -> bool:
        """Go to the next entry; False when there is none."""
        if not self.has_next:
            return False
        self._failed += 1
        self._at = (self._at + 1) % len(self._entries)
        return True

    def rewind(self) -> None:
        """Begin again with the first entry."""
        self._at = self._failed = 0
