"""The choice of the engine: a table of schemes and kinds of media, and a pool for each engine."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable, Mapping
from dataclasses import replace

from agent.errors import AgentError, MediaError, PlayerUnavailableError
from agent.health import PlayerHealth
from agent.media.urls import NETWORK_SCHEMES
from agent.player.base import Player, Totals
from agent.player.pool import PlayerPool
from agent.player.registry import DEFAULT, PLURALS
from agent.types import MediaType


class Engines:
    """A PlayerSource that chooses by the kind of media, where that is told or an address tells it, or else by scheme.

    `pools` are in the order in which they are tried where the table was wrong. `table` is that of `registry.table_of`.
    """

    def __init__(self, pools: Iterable[PlayerPool], *, table: Mapping[str, str]) -> None:
        self._pools = {pool.spec.name: pool for pool in pools}
        self._table = dict(table)

    @property
    def health(self) -> PlayerHealth:
        """The health of vlc, which plays most media, with that of each engine in `engines`.

        `features` is deprecated. It lists the features of the engines, each engine with its version (True until it has
        reported it, False if it cannot play), and each scheme of another engine with that engine, or False.
        """
        healths = {name: replace(pool.health, plays=self._played_by(name)) for name, pool in self._pools.items()}
        said = {
            key if name == DEFAULT else f"{name}_{key}": value
            for name, health in healths.items()
            for key, value in health.features.items()
        }
        engines: dict[str, bool | str] = {name: h.available and (h.version or True) for name, h in healths.items()}
        others = {scheme: name for scheme, name in self._table.items() if name != DEFAULT}
        schemes = {scheme: healths[name].available and name for scheme, name in others.items()}
        messages: dict[str, str] = {}
        for name in (DEFAULT, *sorted(set(self._table.values()) - {DEFAULT})):
            spec = self._pools[name].spec
            if (message := healths[name].message) and not (spec.is_optional and spec.missing):
                messages.setdefault(message, self._about(name, message))
        return replace(
            healths[DEFAULT],
            features={**said, **engines, **schemes},
            message=" ".join(messages.values()),
            engines=healths,
        )

    @property
    def totals(self) -> dict[str, Totals]:
        return {name: pool.totals for name, pool in self._pools.items()}

    async def start(self) -> None:
        """Begin to keep spares; see PlayerPool."""
        await asyncio.gather(*(pool.start() for pool in self._pools.values()))

    async def stop(self) -> None:
        """End the spares. Idempotent."""
        await asyncio.gather(*(pool.stop() for pool in self._pools.values()))

    async def renew(self) -> None:
        """Replace the spares when the display has gone or has come: they were made for the one before."""
        await asyncio.gather(*(pool.renew() for pool in self._pools.values()))

    def check(self, url: str, *, kind: MediaType | None = None) -> None:
        """Raise PlayerUnavailableError if a start of this address, as this kind of media, would get no player."""
        engine = self._usual(url, kind)
        if not (health := self._pools[engine].health).available:
            raise PlayerUnavailableError(self._about(engine, health.message))

    @property
    def for_ready(self) -> str | None:
        """See PlayerSource."""
        return next(
            (name for name, pool in self._pools.items() if pool.spec.catches_up and pool.health.available), None
        )

    async def take(self, url: str, *, engine: str | None = None, kind: MediaType | None = None) -> Player:
        """A player for this address, of the table's engine or of this one. Raises PlayerUnavailableError."""
        if engine is None:
            return await self._pools[self._usual(url, kind)].take()
        return await self._pools[engine].take(keep_spare=False)  # a rare guest is not worth its memory

    def has_room(self, url: str, *, kind: MediaType | None = None) -> bool:
        """Return True if there is memory for one more player of the engine that plays this address."""
        return not self._pools[self._usual(url, kind)].spec.no_room

    def expect(self, url: str, *, kind: MediaType | None = None, ready: bool = False) -> None:
        """Keep a spare of the engine that plays this address, because it will be started; of one that is kept `ready`
        also of the engine for these."""
        with contextlib.suppress(PlayerUnavailableError):  # no engine shows it
            self._pools[self._usual(url, kind)].expect()
        if ready and (engine := self.for_ready):
            self._pools[engine].expect()

    def others(self, url: str, error: AgentError, *, kind: MediaType | None = None) -> dict[str, str]:
        """The other engines that might play this address although one failed with `error`, the likeliest first; each
        with what to do to have it, or "" when it can be had."""
        scheme, found = _scheme(url), error.kind if isinstance(error, MediaError) else None
        likeliest, usual = self._table.get(kind or found or ""), self._usual(url, kind)
        pools = [pool for name, pool in self._pools.items() if name != usual]
        able = [pool for pool in pools if pool.spec.may_play(scheme, kind or found)]
        able.sort(key=lambda pool: pool.spec.name != likeliest)
        healths = {pool.spec.name: pool.health for pool in able}
        # An engine says of itself what it was built without, such as `rtsp`.
        knows = {name: h for name, h in healths.items() if h.features.get(scheme.removesuffix("s"), True)}
        return {name: "" if h.available else h.message for name, h in knows.items()}

    def _about(self, engine: str, message: str) -> str:
        """The state of an engine in words."""
        if engine == DEFAULT:
            return message
        given = {key for key, name in self._table.items() if name == engine}
        if schemes := sorted(given - set(MediaType)):
            return f"{', '.join(schemes)} addresses are played by {engine}. {message}"
        kinds = ", ".join(PLURALS[kind] for kind in sorted(given))
        return f"{kinds.capitalize()} are played by {engine}. {message}"

    def _played_by(self, engine: str) -> tuple[str, ...]:
        usual = dict.fromkeys((*NETWORK_SCHEMES, "file"), DEFAULT) | self._table
        return tuple(sorted(key for key, name in usual.items() if name == engine))

    def _usual(self, url: str, kind: MediaType | None) -> str:
        told = kind or next((k for p in self._pools.values() if p.spec.recognizes(url) for k in p.spec.kinds), None)
        if told is not None and told in self._table:
            return self._table[told]
        if told is MediaType.WEB:
            raise PlayerUnavailableError("No engine of this agent shows web pages.")
        return self._table.get(_scheme(url), DEFAULT)


def _scheme(url: str) -> str:
    return url.partition(":")[0].lower()
