"""Which kind of player plays what: a table of schemes, and behind it a pool for each engine."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import replace

from agent.errors import AgentError, MediaError, PlayerUnavailableError
from agent.player.base import Player
from agent.player.pillow.command import looks_like_picture
from agent.player.pool import PlayerPool
from agent.types import MediaType, PlayerHealth

DEFAULT = "vlc"
"""For every scheme that the table does not name."""


class Engines:
    """A PlayerSource that chooses by the scheme of an address, or by its ending where that tells that it is a picture.

    `table` holds names of `pools`, by scheme and by kind of media (`image`). `pools` are in the order in which they are
    tried where the table was wrong. `schemes` are those of an engine that plays pictures only.
    """

    def __init__(
        self,
        pools: Mapping[str, PlayerPool],
        *,
        table: Mapping[str, str],
        schemes: Mapping[str, Collection[str]] | None = None,
    ) -> None:
        self._pools = dict(pools)
        self._table = dict(table)
        self._schemes = dict(schemes or {})

    @property
    def health(self) -> PlayerHealth:
        """That of vlc, which plays most. `features` has what the engines say of themselves, each engine with its
        version (True before it has said it, False where it cannot play), and each scheme that is another engine's
        with that engine, or False."""
        healths = {name: pool.health for name, pool in self._pools.items()}
        engines: dict[str, bool | str] = {name: h.available and (h.version or True) for name, h in healths.items()}
        others = {scheme: name for scheme, name in self._table.items() if name != DEFAULT}
        schemes = {scheme: healths[name].available and name for scheme, name in others.items()}
        messages: dict[str, str] = {}
        for name in (DEFAULT, *sorted(set(self._table.values()) - {DEFAULT})):
            if message := healths[name].message:
                messages.setdefault(message, self._about(name, message))
        said = {key: value for health in healths.values() for key, value in health.features.items()}
        features = {**said, **engines, **schemes}
        return replace(healths[DEFAULT], features=features, message=" ".join(messages.values()))

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
        engine = self._usual(url)
        if not (health := self._pools[engine].health).available:
            raise PlayerUnavailableError(self._about(engine, health.message))

    async def take(self, url: str, *, engine: str | None = None) -> Player:
        """A player for this address, of the table's engine or of this one. Raises PlayerUnavailableError."""
        if engine is None:
            return await self._pools[self._usual(url)].take()
        return await self._pools[engine].take(keep_spare=False)  # a rare guest is not worth its memory

    def others(self, url: str, error: AgentError) -> dict[str, str]:
        """The other engines that might play this address although one failed with `error`, the likeliest first; each
        with what to do to have it, or "" when it can be had."""
        scheme, kind = _scheme(url), error.kind if isinstance(error, MediaError) else None
        names = [name for name in self._pools if name != self._usual(url)]
        if kind is not None:
            names.sort(key=lambda name: name != self._table.get(kind))
        else:
            names = [name for name in names if name not in self._schemes]
        names = [name for name in names if scheme in self._schemes.get(name, (scheme,))]
        healths = {name: self._pools[name].health for name in names}
        # An engine says of itself what it was built without, such as `rtsp`.
        knows = {name: h for name, h in healths.items() if h.features.get(scheme.removesuffix("s"), True)}
        return {name: "" if h.available else h.message for name, h in knows.items()}

    def _about(self, engine: str, message: str) -> str:
        """What the state of an engine means for people."""
        if engine == DEFAULT:
            return message
        schemes = sorted(key for key, name in self._table.items() if name == engine and key != MediaType.IMAGE)
        if not schemes:
            return f"Pictures are played by {engine}. {message}"
        return f"{', '.join(schemes)} addresses are played by {engine}. {message}"

    def _usual(self, url: str) -> str:
        picture = self._table.get(MediaType.IMAGE)
        return picture if picture and looks_like_picture(url) else self._table.get(_scheme(url), DEFAULT)


def _scheme(url: str) -> str:
    return url.partition(":")[0].lower()
