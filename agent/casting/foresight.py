"""A forecast of what will be needed: the players of the presets and of recent addresses, and the cameras that a preset
keeps ready."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

from agent.casting.presets import Presets
from agent.casting.recent import Recent
from agent.errors import StorageError
from agent.events.bus import EventBus, SlowFollowerError
from agent.player.base import PlayerSource
from cast_wire.kinds import EventKind

LATELY: Final = timedelta(days=1)
"""The period for recent addresses: media that was played once a day is likely to be played again."""

EXPECTED_FROM: Final = (EventKind.PRESETS_CHANGED, EventKind.RECENT_CHANGED)
"""The events after which other players may be needed."""


class Foresight:
    """Keeps a spare player of each engine that a preset or a recent address (LATELY) needs, so that the first doorbell
    after a power cut does not wait for its player. `keep_ready` is told which cameras presets keep ready: the id of the
    preset by the address of its camera."""

    def __init__(
        self,
        presets: Presets,
        recent: Recent,
        *,
        players: PlayerSource,
        keep_ready: Callable[[Mapping[str, str]], None] = lambda _cameras: None,
    ) -> None:
        self._presets = presets
        self._recent = recent
        self._players = players
        self._keep_ready = keep_ready

    async def follow(self, bus: EventBus) -> None:
        """Look now, and whenever the presets or the recent addresses have changed, for as long as the agent runs."""
        while True:
            follower = bus.subscribe()
            try:
                await self.look()
                with contextlib.suppress(SlowFollowerError):  # then it looks anew
                    while (await follower.next()).kind not in EXPECTED_FROM:
                        pass
            finally:
                follower.close()

    async def look(self) -> None:
        """Tell the players what is expected."""
        forms = [preset.form for preset in (await self._presets.all()).presets if preset.form is not None]
        wanted = [(form.url, form.shown_as, bool(form.keep_ready)) for form in forms]
        cameras: dict[str, str] = {}
        for form in forms:
            if form.keep_ready and form.url:
                cameras.setdefault(form.url, form.id)
        self._keep_ready(cameras)
        since = datetime.now(UTC) - LATELY
        with contextlib.suppress(StorageError):  # callers of the list get this error
            lately = [one for one in await self._recent.all() if datetime.fromisoformat(one.played_at) > since]
            wanted += [(one.url, one.shown_as, False) for one in lately]
        for url, shown_as, ready in wanted:
            if url is not None:  # the address of a stream of the central API is known when it is started
                self._players.expect(url, kind=shown_as.kind if shown_as else None, ready=ready)
