"""The sums of what the players of one engine have done."""

from __future__ import annotations

from collections import Counter

from agent.player.base import KillReason, PageRefusal, Player, Totals


class Tally:
    """Knows the living players, and keeps the sums of those that have ended."""

    def __init__(self) -> None:
        self._alive: set[Player] = set()
        self._pictures = self._lost = 0
        self._killed: Counter[KillReason] = Counter()
        self._refused: Counter[PageRefusal] = Counter()

    def began(self, player: Player) -> None:
        self._alive.add(player)

    def ended(self, player: Player, why: KillReason) -> None:
        """Count the end of a player. Called once for each that began."""
        self._alive.remove(player)
        self._pictures += player.progress.pictures
        self._lost += player.progress.lost
        self._killed[why] += 1

    def refused(self, what: PageRefusal) -> None:
        """Count a request of a web page."""
        self._refused[what] += 1

    @property
    def totals(self) -> Totals:
        return Totals(
            self._pictures + sum(player.progress.pictures for player in self._alive),
            self._lost + sum(player.progress.lost for player in self._alive),
            {why: self._killed[why] for why in KillReason},
            {what: self._refused[what] for what in PageRefusal},
        )
