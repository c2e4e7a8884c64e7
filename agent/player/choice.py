"""Which engine plays what, once the table was wrong: what a stream turns out to be decides, not its address alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from agent.errors import AgentError, MediaError
from agent.player.base import Player, PlayerSource
from agent.types import ErrorCode

_ANOTHER_MAY = {ErrorCode.MEDIA_UNSUPPORTED, ErrorCode.MEDIA_DECODE}
"""What is wrong for one engine only. All else is wrong with the source, or with the box."""


class EngineChoice:
    """The Players of one session: those of the table's engine, until that cannot play an address and another can.

    What has shown something of an address plays it from then on. Told of one attempt after the other.
    """

    def __init__(self, players: PlayerSource) -> None:
        self._players = players
        self._chosen: dict[str, str] = {}
        """By address: the engine that takes the table's place."""
        self._settled: set[str] = set()
        self._engine = ""
        self._refusals: dict[str, AgentError] = {}
        """By engine: why it could not play the address that is being tried."""

    async def take(self, url: str) -> Player:
        self._engine = self._chosen.get(url, "")
        player = await self._players.take(url, engine=self._engine or None)
        self._engine = player.engine
        return player

    def shown(self, url: str) -> None:
        """The player that was taken last has shown something of this address."""
        self._settled.add(url)
        self._refusals = {}

    def failed(self, url: str, error: AgentError) -> AgentError | None:
        """The player that was taken last failed with `error`. None when another engine is to try the same at once;
        otherwise the error to go on with, which tells of all that have tried."""
        if url in self._settled:
            return error
        if error.failure.code is ErrorCode.MEDIA_UNAUTHORIZED:  # it is the source that says so, to whoever asks
            self._refusals = {}
            self._chosen.pop(url, None)
            return error
        self._refusals[self._engine] = error
        missing = []
        if error.failure.code in _ANOTHER_MAY:
            others = self._players.others(url, error)
            for engine in (name for name in others if name not in self._refusals):
                if not others[engine]:
                    self._chosen[url] = engine
                    return None
                missing.append(f"{engine} might play it. {others[engine]}")
        refusals, self._refusals = self._refusals, {}
        self._chosen.pop(url, None)
        return _together(refusals, missing)


def _together(refusals: Mapping[str, AgentError], missing: Sequence[str]) -> AgentError:
    """The first error with what the others said, or would need."""
    first, *later = refusals.values()
    said = list(dict.fromkeys(str(error) for error in refusals.values()))
    if not later and not missing:
        return first
    if len(said) > 1:
        said[1:] = [f"{engine}: {error}" for engine, error in list(refusals.items())[1:]]
    return MediaError(first.failure.code, " ".join([*said, *missing]))
