"""The rules on whether and when a stream that failed is retried."""

from __future__ import annotations

import asyncio
import math
import random
from dataclasses import dataclass

from agent.casting.session import Session
from agent.errors import AgentError, MediaError
from agent.types import ErrorCode, StreamType
from cast_util.backoff import Backoff

PAUSES = Backoff(0.5, cap_s=2.0)
"""The pauses between attempts: a source that is back is usually on the screen again within 2 s."""

PATIENT_AFTER_S = 120.0
"""An outage this long is no blip: from then on PATIENT_PAUSES are between the tries, because each costs a player
process (0.3 s of processor time)."""

PATIENT_PAUSES = Backoff(0.5, cap_s=15.0)

HELD_S = 15.0
"""The longest wait for a source that takes no connection. A try costs a player, and one that is over too soon is
followed by a pause. The knock may be wrong, so there is a try now and then."""

LAST_TRY_S = 1.0
"""The time that is left for the last try of a stream that has not played yet."""

KNOCK_EVERY_S = 0.05
PATIENT_KNOCK_EVERY_S = 1.0
"""The pauses between knocks at a source that takes no connection; the longer one after PATIENT_AFTER_S."""

STEADY_S = 10.0
"""One that shows a picture and breaks again at once is still the same outage."""

SAME_PLACE_S = 1.0
"""Tries that end within this of each other have ended at the same place of the media."""

SAME_PLACE_TRIES = 3
SAME_PLACE_FOR_S = 5.0
"""The time over which SAME_PLACE_TRIES such tries must be spread: a network that comes and goes breaks the same film
twice in a moment."""

PASSING = {
    ErrorCode.MEDIA_NETWORK,
    ErrorCode.MEDIA_STALLED,
    ErrorCode.PLAYER_TIMEOUT,
    ErrorCode.PLAYER_UNAVAILABLE,
}
PASSING_ONCE_PLAYED = {*PASSING, ErrorCode.MEDIA_NOT_FOUND, ErrorCode.MEDIA_DECODE, ErrorCode.MEDIA_UNSUPPORTED}
"""The answers of a camera that is starting: 404, half a stream, a page that asks for patience."""


class SamePlaceError(MediaError):
    """The media ends at the same place each time."""


@dataclass(frozen=True, slots=True)
class Retry:
    """The limits on retries of a stream that failed."""

    enabled: bool
    start_timeout: float
    """Seconds from acceptance in which one that has not played yet is tried again."""
    random: random.Random

    def delay(self, failures: int, *, outage_s: float) -> float:
        """Seconds before the next try."""
        pauses = PATIENT_PAUSES if outage_s > PATIENT_AFTER_S else PAUSES
        return pauses.spread_after(failures, self.random)


class Outage:
    """The failures of one session since it was well, and the pause that follows from them."""

    def __init__(self, session: Session, retry: Retry) -> None:
        self._session = session
        self._retry = retry
        self._broke_at: float | None = None
        self._failures = 0
        """The number of failures in a row, without ever having played STEADY_S."""
        self._place = _Place()
        self._before: AgentError | None = None
        """The last failure before anything had played, of an attempt that had time enough."""

    @property
    def knock_every_s(self) -> float:
        """Seconds between two knocks at a source that takes no connection."""
        now = asyncio.get_running_loop().time()
        is_long = self._broke_at is not None and now - self._broke_at > PATIENT_AFTER_S
        return PATIENT_KNOCK_EVERY_S if is_long else KNOCK_EVERY_S

    @property
    def held_s(self) -> float:
        """The longest wait, in seconds, for a source that takes no connection."""
        if self._session.has_played:
            return HELD_S
        return max(0.0, self._retry.start_timeout - self._session.lifetime.accepted_for - LAST_TRY_S)

    def pause_after(self, error: AgentError, *, played_s: float, is_awaited: bool, has_room: bool) -> float:
        """Seconds until the next try, after one that was seen for `played_s` seconds. `is_awaited`: its publisher is
        expected; `has_room`: room was made for it at its source. Raises the error when there shall be no other try."""
        if not self._retry.enabled:
            raise error
        start_timeout, has_played = self._retry.start_timeout, self._session.has_played
        outage_s = (
            self._since_it_broke(error, played_s)
            if has_played
            else self._since_accepted(error, is_awaited=is_awaited, has_room=has_room)
        )
        self._failures += 1
        delay = self._retry.delay(self._failures, outage_s=outage_s)
        if not has_played and outage_s + delay >= start_timeout:
            raise error
        return delay

    def _since_it_broke(self, error: AgentError, played_s: float) -> float:
        session, now, code = self._session, asyncio.get_running_loop().time(), error.failure.code
        if self._broke_at is None or played_s >= STEADY_S:
            self._broke_at, self._failures = now, 0
        outage_s = now - self._broke_at
        has_ended = played_s > 0.0 or code is ErrorCode.MEDIA_DECODE
        is_buffered = session.progress.report.stream_type is StreamType.BUFFERED
        if has_ended and is_buffered and self._place.is_the_last(session.progress.resume_position, now):
            why = "It ends there each time: the file is incomplete, or says a wrong length."
            raise SamePlaceError(code, f"{error} {why}")
        frees_itself = error.failure.is_full and outage_s < self._retry.start_timeout
        if code not in PASSING_ONCE_PLAYED and not frees_itself:
            raise error
        return outage_s

    def _since_accepted(self, error: AgentError, *, is_awaited: bool, has_room: bool) -> float:
        outage_s, code = self._session.lifetime.accepted_for, error.failure.code
        if outage_s >= self._retry.start_timeout:
            raise self._before or error  # the last try was cut short; the one before it knows why
        died = code is ErrorCode.PLAYER_UNAVAILABLE and self._session.attempt == 1  # a spare that was dead already
        comes = code is ErrorCode.MEDIA_NOT_FOUND and is_awaited
        frees_itself = error.failure.is_full and has_room
        if code is not ErrorCode.MEDIA_NETWORK and not (died or comes or frees_itself):
            raise error
        self._before = error
        return outage_s


class _Place:
    """The place where the attempts at one media end."""

    def __init__(self) -> None:
        self._position = -math.inf
        self._since = 0.0
        self._tries = 0

    def is_the_last(self, position: float, now: float) -> bool:
        """Record another end at `position` seconds. Return True if none gets any further."""
        if abs(position - self._position) > SAME_PLACE_S:
            self._position, self._since, self._tries = position, now, 0
        self._tries += 1
        return self._tries >= SAME_PLACE_TRIES and now - self._since >= SAME_PLACE_FOR_S
