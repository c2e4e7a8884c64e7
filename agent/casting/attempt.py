"""The flow of one session, from acceptance to its end: prepare unseen, hand over, watch, clean up."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

import structlog

from agent.casting.limits import Check, Limits
from agent.casting.parts import SessionParts
from agent.casting.preparation import Preparation, Race
from agent.casting.session import Session
from agent.config.logins import relocated
from agent.errors import (
    AgentError,
    FileAwayError,
    InvalidRequestError,
    MediaError,
    PlayerTimeoutError,
    PlayerUnavailableError,
)
from agent.media.names import NameWatch
from agent.player.base import KillReason, Media, Player, Players
from agent.stage.base import Window
from agent.types import ErrorCode
from agent.util.waiting import first_of, to_the_end

ROOM_AFTER = 0.5
"""Of the time for a first picture: after so much silence what is on is let go of, if it comes from the same host."""

WATCH_INTERVAL_S = 0.5
"""The longest pause between two reports of a player that is well."""

OBSERVE_EVERY_S = 0.25
"""A player reports as often: `playing` turns to `buffering` and back at most this much later."""

FIRST_SOUND_TIMEOUT_S = 5.0
"""From giving the sound to the first buffer played; 0.15-0.3 s is usual, a suspended sound server needs over 1 s."""

FIRST_SOUND_LOOK_S = 0.05
"""A player tells four times a second what it has played: looking adds a fifth of that at most."""


class Screen(Protocol):
    """Where attempts are seen, one at a time."""

    async def take_screen(self, attempt: Attempt) -> None:
        """Make this attempt the one that is seen and heard."""

    async def release(self, attempt: Attempt, window: Window) -> None:
        """Take over the window of an attempt that ends, with its last picture, until something else is shown."""


class Attempt:
    """One attempt at playing a session: one player process and one window. `check` is what the URL must pass first.
    `make_room` as in SessionRunner."""

    def __init__(
        self,
        session: Session,
        *,
        players: Players,
        parts: SessionParts,
        limits: Limits,
        check: Check,
        screen: Screen,
        make_room: Callable[[], Awaitable[bool]],
    ) -> None:
        self._parts = parts
        self._make_room = make_room
        self._located = session.url
        self.session = session
        self._players = players
        self._limits = limits
        self._check = check
        self._screen = screen
        self._player: Player | None = None
        self._window: Window | None = None
        self._shown_at: float | None = None
        self._has_sound = False
        self.interrupted = False
        """Ended to be taken up again later; kept here, because that may be before this one is over."""
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
            await self._prepare(share)
            await self._screen.take_screen(self)
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
    def player(self) -> Player | None:
        """The process that plays, once there is one."""
        return self._player

    @property
    def engine(self) -> str:
        """Of that process; empty before."""
        return self._player.engine if self._player else ""

    @property
    def was_shown(self) -> bool:
        return self._shown_at is not None

    @property
    def played_s(self) -> float:
        """Seconds since it was shown; 0 before."""
        return 0.0 if self._shown_at is None else asyncio.get_running_loop().time() - self._shown_at

    def is_on(self) -> None:
        """From now on it is seen and heard."""
        self._shown_at = asyncio.get_running_loop().time()

    async def show(self) -> None:
        """Put the picture on top. Audio has none: what is underneath stays."""
        if self._window is not None:
            await self._window.show()

    @property
    def has_sound(self) -> bool:
        """Whether it was given the sound and has it still; an ended process has it until it is `over`."""
        return self._has_sound and not self.over.done()

    async def set_sound(self, on: bool) -> None:
        """Give it the sound or take it away. Raises PlayerTimeoutError, PlayerUnavailableError."""
        if self._player is not None and on != self._has_sound:
            self._has_sound = on
            await self._player.set_sound(on)

    async def pause(self, on: bool) -> None:
        """Have it stand still or go on. Raises PlayerTimeoutError, PlayerUnavailableError."""
        if not on:
            await self.set_sound(True)  # one that was taken up again in a pause has none yet
        await self._playing.pause(on)

    async def seek(self, position: float) -> None:
        """Raises PlayerTimeoutError, PlayerUnavailableError."""
        await self._playing.seek(position)

    async def first_sound(self) -> None:
        """Return when the first sound has been heard. Raises MediaError when none comes."""
        player = self._playing
        before = player.progress.audio_buffers

        async def heard() -> None:
            while player.progress.audio_buffers <= before:  # noqa: ASYNC110 - a player reports four times a second
                await asyncio.sleep(FIRST_SOUND_LOOK_S)

        try:
            async with asyncio.timeout(FIRST_SOUND_TIMEOUT_S):
                await first_of(heard(), player.finished())
        except TimeoutError as e:
            raise MediaError(
                ErrorCode.MEDIA_STALLED,
                f"Nothing was heard within {FIRST_SOUND_TIMEOUT_S:.0f} s: check [audio] output and the sound device.",
            ) from e

    @property
    def _playing(self) -> Player:
        assert self._player is not None, "nothing is prepared"
        return self._player

    async def _prepare(self, share: float) -> None:
        session, timeout_s = self.session, self._limits.start_timeout
        left_s = timeout_s if session.has_played else max(0.1, timeout_s - session.lifetime.accepted_for)
        race = Race(
            session.url,
            players=self._players,
            stage=self._parts.stage,
            media=self._media,
            begun=self._plays_on,
        )
        names = NameWatch(session.url, self._parts.look_up)
        try:
            async with asyncio.timeout(left_s * share), names:
                await self._allowed(session.url)
                self._located = await self._parts.locate(session.url)
                if not (display := self._parts.stage.health).available:
                    raise PlayerUnavailableError(display.message)  # it says what to do; the pool knows less
                await first_of(self._first_picture(race, left_s * share), self._ask_for_room(left_s * share))
        except TimeoutError as e:
            waited_s = round(timeout_s - left_s * (1.0 - share), 1)
            raise self._too_late(race.has_opened, waited_s, names_problem=await names.problem()) from e

    async def _first_picture(self, race: Race, within_s: float) -> None:
        ready = await race.run(within_s=within_s)
        self._adopt(ready)

    async def _ask_for_room(self, within_s: float) -> None:
        """Its source may have it wait until what is on goes."""
        await asyncio.sleep(within_s * ROOM_AFTER)
        await self._make_room()
        await asyncio.Event().wait()

    async def _allowed(self, url: str) -> None:
        try:
            await self._check(url)
        except FileAwayError as e:
            raise MediaError(ErrorCode.MEDIA_NOT_FOUND, str(e)) from e
        except InvalidRequestError as e:
            raise MediaError(ErrorCode.MEDIA_FORBIDDEN, str(e)) from e

    def _media(self) -> Media:
        session, asked = self.session, self.session.request
        return Media(
            self._located,
            asked.quality,
            session.volume,
            session.muted,
            position=session.progress.resume_position,
            refresh=asked.refresh,
            page=asked.page,
            logins=relocated(self._parts.logins(), session.url, self._located),
        )

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

    def _too_late(self, has_opened: bool, timeout_s: float, *, names_problem: str) -> AgentError:
        if self._player is None:
            return PlayerTimeoutError(f"No player process became ready within {timeout_s:g} s.")
        if not has_opened:
            return MediaError(
                ErrorCode.MEDIA_NETWORK,
                names_problem
                or f"No picture or sound came within {timeout_s:g} s: is the source on and sending? "
                "A slow one needs a longer [player] start_timeout.",
            )
        return MediaError(
            ErrorCode.MEDIA_DECODE,
            f"The stream opened, but no picture of it was drawn within {timeout_s:g} s.",
        )

    async def _watch(self) -> None:
        watchers = [self._playing.finished(), self._notice_stall()]
        if self._window is not None:
            watchers.append(self._notice_lost_display(self._window))
        await first_of(*watchers)

    async def _notice_stall(self) -> None:
        moving = False
        while True:
            await asyncio.sleep(OBSERVE_EVERY_S)
            still_s = self.session.observe()
            if moving != (still_s < WATCH_INTERVAL_S * 3):
                moving = not moving
                self._log.info(
                    "stream_motion_resumed" if moving else "stream_motion_stopped", still_s=round(still_s, 1)
                )
            silent_s = asyncio.get_running_loop().time() - self._playing.progress.at
            # A player that says nothing hangs, whatever the stream does: the player's own watch says so within 5 s.
            if (
                still_s >= self.session.progress.stall_after(self._limits.stall_timeout)
                and silent_s < WATCH_INTERVAL_S * 3
            ):
                raise MediaError(
                    ErrorCode.MEDIA_STALLED,
                    f"The stream stood still for {still_s:.0f} s: the source stopped sending, or the network lost it.",
                )

    async def _notice_lost_display(self, window: Window) -> None:
        await window.lost()
        raise PlayerUnavailableError("The display was lost while the stream was on it.")

    async def _clean_up(self, why: KillReason | None) -> None:
        # The process first: the window keeps its last picture until it is closed, so nothing flashes.
        if self._player is not None:
            await self._player.kill(why or (KillReason.ENDED if self.was_shown else KillReason.GIVEN_UP))
        if self._window is not None:
            await self._screen.release(self, self._window)
