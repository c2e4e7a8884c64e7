"""The way from an address to its first picture, unseen and unheard: by one player, and by another beside it if need
be."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from agent.errors import AgentError, MediaError, PlayerTimeoutError, PlaylistError
from agent.player.base import KillReason, Media, Opened, Player, Players
from agent.stage.base import Stage, Window
from agent.types import ErrorCode, MediaType
from agent.util.waiting import first_of, to_the_end

SECOND_AFTER = 0.25
"""The part of the time for a first picture after which a second player starts. A first player that is silent for so
long goes on, so that a good slow source loses nothing; the second one has most of the time left, and is there when a
person still looks."""

SECOND_AFTER_AT_LEAST_S = 2.0
"""Good sources on a LAN show something within 1.2 s, whichever engine plays them."""

SHORT_CLIP_GRACE_S = 0.5
"""A clip of a few pictures may be over before its first pixel was seen; its last picture stays in the window."""


class Preparation:
    """One player on its way to a first picture, or to a sound that is ready to be heard."""

    def __init__(self, take: Callable[[], Awaitable[Player]]) -> None:
        self._take = take
        self.player: Player | None = None
        self.window: Window | None = None
        """None also for audio, which needs none."""
        self.opened: Opened | None = None

    async def run(self, stage: Stage, media: Callable[[], Media], begun: Callable[[Player], None]) -> None:
        """Return when it is there. Raises MediaError, PlaylistError, PlayerTimeoutError, PlayerUnavailableError."""
        self.player = player = await self._take()
        begun(player)
        self.window = window = await stage.open_window()
        await player.load(media(), window.xid)
        self.opened = await player.opened()
        if self.opened.media_type is MediaType.AUDIO:
            self.window = None
            await window.close()
        else:
            await _first_pixel(player, window)

    async def discard(self, why: KillReason) -> None:
        """The process first: nobody has seen the window."""
        if self.player is not None:
            await self.player.kill(why)
        if self.window is not None:
            await self.window.close()


class Race:
    """A race for the first picture of one address between the player of its engine and one of another engine. The
    second one starts if the first has shown nothing for long. `begun` receives the first player as soon as there is
    one."""

    def __init__(
        self,
        url: str,
        *,
        players: Players,
        stage: Stage,
        media: Callable[[], Media],
        begun: Callable[[Player], None],
    ) -> None:
        self._url = url
        self._players = players
        self._stage = stage
        self._media = media
        self._begun = begun
        self._running: dict[asyncio.Task[None], Preparation] = {}
        self.has_opened = False
        """True if one of the players had opened the media, even if it failed later."""

    async def run(self, *, within_s: float) -> Preparation:
        """The first that is there; the other one is gone then. So are both when this raises: the error of the first
        player, once no other can show anything. `within_s` is the time that the caller gives it."""
        patience_s = max(within_s * SECOND_AFTER, SECOND_AFTER_AT_LEAST_S)
        winner: Preparation | None = None
        try:
            winner = await self._first(patience_s)
            return winner
        finally:
            self.has_opened = any(each.opened for each in self._running.values())
            await to_the_end(self._discard_all_but(winner))

    async def _first(self, patience_s: float) -> Preparation:
        first = self._begin(lambda: self._players.take(self._url, ready=self._media().ready), self._begun)
        await asyncio.wait({first}, timeout=patience_s)
        second: asyncio.Task[None] | None = None
        if not first.done() and (take := self._players.beside(self._url)) is not None:
            second = self._begin(take, lambda _: None)
        pending, error = {task for task in (first, second) if task is not None}, None
        while pending:
            done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                failure = task.exception()
                if failure is None:
                    return self._running[task]
                if isinstance(failure, PlaylistError) or not isinstance(failure, AgentError):
                    raise failure
                if task is first:
                    error = failure
                elif (player := self._running[task].player) is not None:
                    self._players.failed_beside(self._url, player.engine, failure)
        assert error is not None, "the first has failed"
        raise error

    def _begin(self, take: Callable[[], Awaitable[Player]], begun: Callable[[Player], None]) -> asyncio.Task[None]:
        preparation = Preparation(take)
        task = asyncio.create_task(preparation.run(self._stage, self._media, begun), name="preparation")
        self._running[task] = preparation
        return task

    async def _discard_all_but(self, winner: Preparation | None) -> None:
        for task in self._running:
            task.cancel()
        ends = await asyncio.gather(*self._running, return_exceptions=True)
        losers = [
            each.discard(KillReason.of(end) if end else KillReason.GIVEN_UP)
            for each, end in zip(self._running.values(), ends, strict=True)
            if each is not winner
        ]
        await asyncio.gather(*losers, return_exceptions=True)


def too_late(player: Player | None, race: Race, *, waited_s: float, names_problem: str) -> AgentError:
    """The error of a first picture that came too late; `names_problem` is the problem with the name of the host."""
    if player is None:
        return PlayerTimeoutError(f"No player process became ready within {waited_s:g} s.")
    if not race.has_opened and names_problem:
        return MediaError(ErrorCode.MEDIA_NETWORK, names_problem)
    if (silence := player.progress.silence) is not None:
        return MediaError(silence.code, silence.message)
    if not race.has_opened:
        return MediaError(
            ErrorCode.MEDIA_NETWORK,
            f"No picture or sound came within {waited_s:g} s: is the source on and sending? "
            "A slow one needs a longer [player] start_timeout.",
        )
    return MediaError(
        ErrorCode.MEDIA_DECODE,
        f"The stream opened, but no picture of it was drawn within {waited_s:g} s.",
    )


async def _first_pixel(player: Player, window: Window) -> None:
    pictures = 0

    def displayed() -> int:
        return max(pictures, player.progress.pictures)

    pixel = asyncio.create_task(window.first_pixel(pictures=displayed), name="first-pixel")
    try:
        await first_of(asyncio.shield(pixel), player.finished())
        if not pixel.done():
            pictures = 1  # it is over, so all its pictures were displayed
            await asyncio.wait({pixel}, timeout=SHORT_CLIP_GRACE_S)
            if not pixel.done():
                raise MediaError(ErrorCode.MEDIA_DECODE, "The stream ended before a picture of it could be shown.")
        pixel.result()
    finally:
        pixel.cancel()
        await asyncio.gather(pixel, return_exceptions=True)
