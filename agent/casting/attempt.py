"""The flow of one session, from acceptance to its end: prepare unseen, hand over, watch, clean up."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

import structlog

from agent.casting.limits import Check, Limits
from agent.casting.opening import Opening
from agent.casting.parts import SessionParts
from agent.casting.preparation import Preparation, Race, too_late
from agent.casting.session import Session
from agent.casting.still import Still
from agent.casting.succession import Succession
from agent.casting.watching import notice_lost_display, notice_stall
from agent.errors import (
    AgentError,
    PlayerUnavailableError,
)
from agent.media.names import NameWatch
from agent.player.base import KillReason, Player, Players
from agent.stage.base import Window
from agent.types import MediaType
from agent.util.waiting import first_of, to_the_end

ROOM_AFTER = 0.5
"""The part of the time for a first picture after which the current session is ended, if it comes from the same host."""


class Screen(Protocol):
    """The place where attempts are seen, one at a time."""

    async def take_screen(self, attempt: Attempt) -> None:
        """Make this attempt the one that is seen and heard."""

    async def succeed(self, attempt: Attempt) -> None:
        """Have its successor take over, unseen where something is over it."""

    async def release(self, attempt: Attempt, window: Window) -> None:
        """Take over the window of an attempt that ends, with its last picture, until something else is shown."""


class Attempt:
    """One attempt at playing a session: one player process and one window. `check` is what the URL must pass first.
    `make_room` as in SessionRunner; it is told whether it is about memory."""

    def __init__(
        self,
        session: Session,
        *,
        players: Players,
        parts: SessionParts,
        limits: Limits,
        check: Check,
        screen: Screen,
        make_room: Callable[[bool], Awaitable[bool]],
    ) -> None:
        self._parts = parts
        self._make_room = make_room
        self.session = session
        self._opening = Opening(session, parts=parts, check=check)
        self._still = Still(parts.cameras, parts.stage)
        self._players = players
        self._limits = limits
        self._screen = screen
        self._succession = Succession(
            session,
            players=players,
            stage=parts.stage,
            find=self._opening.find,
            media=self._opening.media,
            within_s=limits.start_timeout,
        )
        self._player: Player | None = None
        self._window: Window | None = None
        self._shown_at: float | None = None
        self._has_sound = False
        self.interrupted = False
        """Ended, or kept, to be taken up again later; told here, because that may be before this one is over."""
        self.is_kept = False
        """True if it goes on unseen while it is interrupted."""
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Done when the process is gone and the window released."""
        self._log = structlog.get_logger(__name__).bind(session_id=session.id)

    async def perform(self, *, share: float = 1.0) -> None:
        """Play to the end of the media. However it ends, the process is gone then and the window released. `share`
        (0.0-1.0) is how much of the time that is left for a first frame this attempt may take.

        Raises MediaError, PlayerTimeoutError and PlayerUnavailableError when it cannot be played or breaks.
        """
        why: KillReason | None = None
        try:
            try:
                await self._prepare(share)
                if self.session.request.join is not None:
                    await self.session.is_located.wait()  # until then nothing that is on makes way for it
                self._still.stop()
                await self._screen.take_screen(self)
            finally:
                await to_the_end(self._still.end())
            await self._watch()
        except AgentError as error:
            why = KillReason.of(error)
            raise
        finally:
            self.session.lets_go()
            try:
                await to_the_end(self._clean_up(why))
            finally:
                self.over.set_result(None)

    @property
    def is_ready(self) -> bool:
        """Return True if it gets the pictures of a camera that is kept ready, and not from the camera itself."""
        return self._opening.is_ready

    @property
    def player(self) -> Player | None:
        """The process that plays, once there is one."""
        return self._player

    @property
    def engine(self) -> str:
        """The engine of the player; empty before there is one."""
        return self._player.engine if self._player else ""

    @property
    def was_shown(self) -> bool:
        return self._shown_at is not None

    @property
    def played_s(self) -> float:
        """Seconds since it was shown; 0 before."""
        return 0.0 if self._shown_at is None else asyncio.get_running_loop().time() - self._shown_at

    def renew(self) -> None:
        """Have another player take over, once it has loaded the same page."""
        self._succession.wanted.set()

    @property
    def is_outdated(self) -> bool:
        """Return True if it has ended because its player had to go before the next one comes."""
        return self._succession.is_due

    def interrupt(self, *, keep: bool) -> None:
        """Record that something else comes over it. A page goes on unseen where it may, while there is memory."""
        self.interrupted, self.is_kept = True, keep and self.may_be_kept

    @property
    def may_be_kept(self) -> bool:
        session = self.session
        is_page = session.progress.media_type is MediaType.WEB and not session.playlist.rotates
        return is_page and self.was_shown and self._players.has_room(session.url)

    async def take_up(self) -> None:
        """Show an attempt again that was kept."""
        self.interrupted = self.is_kept = False
        await self._screen.take_screen(self)

    def is_on(self) -> None:
        """Mark the attempt as the one that is seen and heard."""
        self._shown_at = asyncio.get_running_loop().time()

    async def show(self) -> None:
        """Put the picture on top. Audio has none: what is underneath stays."""
        if self._window is not None:
            await self._window.show()

    async def succeed(self, *, seen: bool) -> None:
        """Have the successor take over, in place of what is `seen` now or waits."""
        player, window = self._player, self._window
        self._player, self._window = await self._succession.take_over(seen=seen)
        self.session.progress.goes_on_with(self._player)
        await to_the_end(_end(player, window))
        await self._player.set_volume(self.session.volume, self.session.muted)  # they may have changed meanwhile
        if self._has_sound:
            await self._player.set_sound(True)

    @property
    def has_sound(self) -> bool:
        """Return True if the attempt has the sound. A player that has ended keeps it until it is `over`."""
        return self._has_sound and not self.over.done()

    async def set_sound(self, on: bool) -> None:
        """Give it the sound or take it away. Raises PlayerTimeoutError, PlayerUnavailableError."""
        if self._player is not None and on != self._has_sound:
            self._has_sound = on
            await self._player.set_sound(on)

    async def prepare_sound(self) -> None:
        """Have the sound ready while another one still has it. Raises PlayerTimeoutError, PlayerUnavailableError."""
        if self._player is not None and not self._has_sound:
            await self._player.prepare_sound()

    async def pause(self, on: bool) -> None:
        """Have it stand still or go on. Raises PlayerTimeoutError, PlayerUnavailableError."""
        if not on:
            await self.set_sound(True)  # a player that was started during a pause has none yet
        await self.playing.pause(on)

    async def seek(self, position: float) -> None:
        """Seek the player. Raises PlayerTimeoutError or PlayerUnavailableError."""
        await self.playing.seek(position)

    @property
    def playing(self) -> Player:
        """The process that plays; only once there is one."""
        assert self._player is not None, "nothing is prepared"
        return self._player

    async def _prepare(self, share: float) -> None:
        session, timeout_s = self.session, self._limits.start_timeout
        left_s = timeout_s if session.has_played else max(0.1, timeout_s - session.lifetime.accepted_for)
        race = Race(
            session.url,
            players=self._players,
            stage=self._parts.stage,
            media=self._opening.media,
            begun=self._plays_on,
        )
        names = NameWatch(session.url, self._parts.look_up)
        try:
            async with asyncio.timeout(left_s * share), names:
                await self._opening.find()
                if self.is_ready:
                    self._still.begin(self._opening.located)
                if not (display := self._parts.stage.health).available:
                    raise PlayerUnavailableError(display.message)  # it says what to do; the pool knows less
                if session.request.kind is MediaType.WEB and not self._players.has_room(session.url):
                    await self._make_room(True)
                await first_of(self._first_picture(race, left_s * share), self._ask_for_room(left_s * share))
        except TimeoutError as e:
            waited_s = round(timeout_s - left_s * (1.0 - share), 1)
            raise too_late(self._player, race, waited_s=waited_s, names_problem=await names.problem()) from e

    async def _first_picture(self, race: Race, within_s: float) -> None:
        ready = await race.run(within_s=within_s)
        self._adopt(ready)

    async def _ask_for_room(self, within_s: float) -> None:
        """Have the current session release the source, if the source may serve one viewer at a time."""
        await asyncio.sleep(within_s * ROOM_AFTER)
        await self._make_room(False)
        await asyncio.Event().wait()

    def _plays_on(self, player: Player) -> None:
        self._player = player
        self.session.plays_on(player)

    def _adopt(self, ready: Preparation) -> None:
        assert ready.player is not None, "it is there"
        assert ready.opened is not None, "it is there"
        if ready.player is not self._player:
            self._log.info("engine_fallback_used", engine=ready.player.engine)
            self._plays_on(ready.player)
        self._window = ready.window
        self.session.progress.opened(ready.opened)
        self._log.debug("stream_opened", media_type=ready.opened.media_type, pid=ready.player.pid)

    async def _watch(self) -> None:
        while True:
            player = self.playing
            stall = notice_stall(self.session, player, timeout_s=self._limits.stall_timeout)
            watchers = [player.finished(), stall, self._succession.run(player)]
            if self._window is not None:
                watchers.append(notice_lost_display(self._window))
            await first_of(*watchers)
            if self._succession.ready is None:
                return
            await self._screen.succeed(self)

    async def _clean_up(self, why: KillReason | None) -> None:
        await self._succession.discard()
        # The process first: the window keeps its last picture until it is closed, so nothing flashes.
        if self._player is not None:
            await self._player.kill(why or (KillReason.ENDED if self.was_shown else KillReason.GIVEN_UP))
        if self._window is not None:
            await self._screen.release(self, self._window)


async def _end(player: Player | None, window: Window | None) -> None:
    """The process first: the window keeps its last picture."""
    if player is not None:
        await player.kill(KillReason.ENDED)
    if window is not None:
        await window.close()
