"""Which kind of player plays what: a table of schemes, and behind it a pool for each engine."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace

from agent.errors import PlayerUnavailableError
from agent.player.base import Player
from agent.player.pool import PlayerPool
from agent.types import PlayerHealth

DEFAULT = "vlc"
"""For every scheme that the table does not name."""


class Engines:
    """A PlayerSource that chooses by the scheme of an address. `table` holds names of `pools`."""

    def __init__(self, pools: Mapping[str, PlayerPool], *, table: Mapping[str, str]) -> None:
        self._pools = dict(pools)
        self._table = dict(table)

    @property
    def health(self) -> PlayerHealth:
        """That of vlc, which plays most. `features` has what the engines say of themselves, each engine with its
        version (True before it has said it, False where it cannot play), and each scheme that is another engine's
        with that engine, or False."""
        healths = {name: pool.health for name, pool in self._pools.items()}
        engines: dict[str, bool | str] = {name: h.available and (h.version or True) for name, h in healths.items()}
        others = {scheme: name for scheme, name in self._table.items() if name != DEFAULT}
        schemes = {scheme: healths[name].available and name for scheme, name in others.items()}
        used = {DEFAULT, *self._table.values()}
        messages = dict.fromkeys(h.message for name, h in healths.items() if name in used and h.message)
        said = {key: value for health in healths.values() for key, value in health.features.items()}
        return replace(healths[DEFAULT], features={**said, **engines, **schemes}, message=" ".join(messages))

    async def start(self) -> None:
        """Begin to keep spares; see PlayerPool."""
        await asyncio.gather(*(pool.start() for pool in self._pools.values()))

    async def stop(self) -> None:
        """End the spares. Idempotent."""
        await asyncio.gather(*(pool.stop() for pool in self._pools.values()))

    async def renew(self) -> None:
        """The display has gone or has come: players were made for the one before."""
        await asyncio.gather(*(pool.renew() for pool in self._pools.values()))

    def check(self, url: str) -> None:
        """Raises PlayerUnavailableError when a start of this address would get no player."""
        if not (health := self._pool(url).health).available:
            raise PlayerUnavailableError(health.message)

    async def take(self, url: str) -> Player:
        """A player for this address. Raises PlayerUnavailableError."""
        return await self._pool(url).take()

    def _pool(self, url: str) -> PlayerPool:
        return self._pools[self._table.get(url.partition(":")[0].lower(), DEFAULT)]
