"""The choice of the engine after the table was wrong: what a stream turns out to be decides, not its address alone."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial

from agent.errors import AgentError, MediaError
from agent.player.base import Player, PlayerSource
from agent.player.reasons import nothing_shown
from agent.types import ErrorCode, MediaType

_ANOTHER_MAY = {ErrorCode.MEDIA_UNSUPPORTED, ErrorCode.MEDIA_DECODE}
"""Failures of one engine only. All others are failures of the source, or of the box."""


_SILENT = MediaError(ErrorCode.MEDIA_NETWORK, "It is silent.")


class EngineChoice:
    """The Players of one session: those of the table's engine, until that cannot play an address and another can.

    What has shown something of an address plays it from then on. Told of one attempt after the other. `kind` is that of
    the media, where somebody has told it.
    """

    def __init__(self, players: PlayerSource, *, kind: MediaType | None = None) -> None:
        self._players = players
        self._kind = kind
        self._chosen: dict[str, str] = {}
        """The engine that replaces the table's, by address."""
        self._settled: set[str] = set()
        self._engine = ""
        self._refusals: dict[str, AgentError] = {}
        """The failures with the address that is being tried, by engine."""
        self._beside: dict[str, AgentError] = {}
        """The same of those that tried beside another."""

    async def take(self, url: str, *, ready: bool = False) -> Player:
        self._engine = self._chosen.get(url) or (ready and self._players.for_ready) or ""
        player = await self._players.take(url, engine=self._engine or None, kind=self._kind)
        self._engine = player.engine
        return player

    def beside(self, url: str) -> Callable[[], Awaitable[Player]] | None:
        """See Players. Only over HTTP: two that listen at one port would take each other's packets."""
        if url in self._settled or not url.lower().startswith(("http:", "https:")):
            return None
        others = self._players.others(url, _SILENT, kind=self._kind)
        able = (name for name, missing in others.items() if not missing)
        engine = next(
            (name for name in able if name != self._engine and name not in self._refusals | self._beside), None
        )
        return None if engine is None else partial(self._players.take, url, engine=engine)

    def has_room(self, url: str) -> bool:
        return self._players.has_room(url, kind=self._kind)

    def failed_beside(self, url: str, engine: str, error: AgentError) -> None:
        """Record that the player of this engine, taken beside the other one, has failed."""
        self._beside[engine] = error

    def shown(self, url: str, engine: str) -> None:
        """Record that a player of this engine has shown something of this address."""
        if engine != self._engine:
            self._chosen[url] = engine
        self._settled.add(url)
        self._forget()

    def comes_no_further(self, url: str, error: AgentError) -> bool:
        """Record that the media that the table's engine plays ends with `error` at the same place each time. Return
        True if another engine is to continue from there: a missing piece ends a recording for one engine only."""
        if error.failure.code is not ErrorCode.MEDIA_NOT_FOUND:
            return False
        others = self._players.others(url, error, kind=self._kind)
        another = next((engine for engine, missing in others.items() if not missing), None)
        if another is None or url in self._chosen:
            return False
        self._chosen[url] = another
        return True

    def failed(self, url: str, error: AgentError) -> AgentError | None:
        """The player that was taken last failed with `error`. None when another engine is to try the same at once;
        otherwise the error to go on with, which tells of all that have tried."""
        if url in self._settled:
            return error
        if error.failure.code is ErrorCode.MEDIA_UNAUTHORIZED:  # the source says so, to any engine
            self._forget()
            self._chosen.pop(url, None)
            return error
        self._refusals[self._engine] = error
        refusals, missing = self._refusals | self._beside, []
        if error.failure.code in _ANOTHER_MAY:
            others = self._players.others(url, error, kind=self._kind)
            for engine in (name for name in others if name not in refusals):
                if not others[engine]:
                    self._chosen[url] = engine
                    return None
                missing.append(f"{engine} might play it. {others[engine]}")
        self._forget()
        self._chosen.pop(url, None)
        return _together(url, refusals, missing)

    def _forget(self) -> None:
        self._refusals, self._beside = {}, {}


def _together(url: str, refusals: Mapping[str, AgentError], missing: Sequence[str]) -> AgentError:
    """The first error, with the requirements of the other engines, and with their errors where they know another
    reason."""
    first, *later = refusals.values()
    if not later and not missing:
        return first
    known = (str(first), nothing_shown(url).message)
    said = [f"{engine}: {error}" for engine, error in refusals.items() if str(error) not in known]
    is_full = any(error.failure.is_full for error in refusals.values())
    return MediaError(first.failure.code, " ".join([str(first), *said, *missing]), is_full=is_full)
