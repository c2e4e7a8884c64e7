"""One player takes over from another while that is seen: a page is renewed, or is the next of several."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import structlog

from agent.casting.preparation import Preparation
from agent.casting.session import Session
from agent.errors import AgentError, PlayerTimeoutError
from agent.player.base import KillReason, Media, Player, Players
from agent.stage.base import Stage, Window
from agent.types import ErrorCode, MediaType
from agent.util.waiting import first_of, to_the_end

AGAIN_AFTER_S = 600.0
"""The pause after a renewal that failed: the page on the screen is old, and well."""


class Succession:
    """The succession of the players of one attempt. `find` makes the url of the session one that players can open;
    `within_s` is how long a successor may take to its first picture."""

    def __init__(
        self,
        session: Session,
        *,
        players: Players,
        stage: Stage,
        find: Callable[[], Awaitable[None]],
        media: Callable[[], Media],
        within_s: float,
    ) -> None:
        self._session = session
        self._players = players
        self._stage = stage
        self._find = find
        self._media = media
        self._within_s = within_s
        self._log = structlog.get_logger(__name__).bind(session_id=session.id)
        self.wanted = asyncio.Event()
        """Set when somebody asks for a successor, of the same page."""
        self.ready: Preparation | None = None
        """The successor, from its first picture on."""
        self.is_due = False
        """True if there is no room for two of them: the player has to go before its successor comes."""

    async def run(self, player: Player) -> None:
        """Return when this player is to go. Never, for what is no page."""
        playlist = self._session.playlist
        while self.ready is None:
            await first_of(self._until_due(player), self._until_wanted())
            turns = playlist.rotates and not self.wanted.is_set()
            self.wanted.clear()
            if turns:
                playlist.turn()
                if await self._goes_on(player):
                    continue
            if not self._players.has_room(self._session.url):
                self.is_due = True
                return
            await self._prepare()
            if self.ready is None and not playlist.rotates:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(AGAIN_AFTER_S):
                        await self.wanted.wait()

    async def take_over(self, *, seen: bool) -> tuple[Player, Window]:
        """The successor, which is raised over all else where it is `seen`. Raises PlayerUnavailableError."""
        ready = self.ready
        assert ready is not None, "it has told that it is ready"
        assert ready.player is not None, "it has painted"
        assert ready.window is not None, "a page has a window"
        if seen:
            await ready.window.show()
        self.ready = None
        return ready.player, ready.window

    async def discard(self) -> None:
        """Discard the successor that nobody wants any more."""
        ready, self.ready = self.ready, None
        if ready is not None:
            await ready.discard(KillReason.GIVEN_UP)

    async def _until_due(self, player: Player) -> None:
        if self._session.progress.media_type is not MediaType.WEB:
            await asyncio.Event().wait()
        shown_for_s = self._session.playlist.shown_for_s
        if shown_for_s is None:
            await player.outdated()
        else:
            await asyncio.sleep(shown_for_s)

    async def _until_wanted(self) -> None:
        await self.wanted.wait()

    async def _goes_on(self, player: Player) -> bool:
        """Have the same player show the page whose turn it is, if it can do that without loading it."""
        try:
            async with asyncio.timeout(self._within_s):
                await self._find()
                return await player.go_to(self._media())
        except (AgentError, TimeoutError):  # another player tries the same, and tells what it is
            return False

    async def _prepare(self) -> None:
        """Prepare the page whose turn it is, or the next one that can be shown; none, when there are as many failures
        as pages."""
        playlist = self._session.playlist
        for tried in range(len(playlist)):
            if tried:
                playlist.turn()
            next_one = Preparation(lambda: self._players.take(self._session.url))
            try:
                async with asyncio.timeout(self._within_s):
                    await self._find()
                    await next_one.run(self._stage, self._media, lambda _: None)
            except (AgentError, TimeoutError) as e:
                error = e if isinstance(e, AgentError) else PlayerTimeoutError("It was not shown in time.")
                self._log.warning("successor_failed", code=error.failure.code, reason=str(error))
                await to_the_end(next_one.discard(KillReason.of(error)))
                # Each attempt to log in counts towards a ban of this box.
                if error.failure.code is ErrorCode.PAGE_LOGIN and not playlist.leave_out():
                    raise error from e
            except BaseException:
                await to_the_end(next_one.discard(KillReason.GIVEN_UP))
                raise
            else:
                self.ready = next_one
                return
