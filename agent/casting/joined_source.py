"""A stream of the central API that a session plays: where it can be had now, and whether it has ended."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Callable, Sequence
from enum import Enum, auto
from typing import Final, Protocol

import structlog

from agent.casting.limits import KNOWN_S, Check
from agent.casting.session import Session
from agent.casting.video_source import CentralVideo, Library
from agent.errors import (
    AgentError,
    CentralUnavailableError,
    FileAwayError,
    InvalidRequestError,
    MediaError,
    NotSupportedError,
    PlayerUnavailableError,
    StreamNotFoundError,
)
from agent.media.urls import with_code
from agent.player.base import PlayerSource
from agent.types import CentralStream, ErrorCode, StreamRef
from cast_util.backoff import Backoff

FOLLOW_S: Final = 5.0
"""The interval at which the central API is asked whether the current stream is still on, and where."""

AWAITED_S: Final = 0.4
"""The same while its publisher is away and an attempt is due anyhow: it is 3 s at most from its return to its picture,
which takes an engine to start and a key frame to come, and a second at most of those that look in vain."""

FOLLOW_PAUSES: Final = Backoff(2 * FOLLOW_S, cap_s=30.0)
"""The same while the central API does not answer: how late an end is noticed at most once it does."""

JITTER: Final = 0.2
"""The spread of these intervals, so that the boxes that have joined one stream do not ask at the same moment."""

log = structlog.get_logger(__name__)


class Streams(Library, Protocol):
    """A directory of the streams of the central API, and of the videos in its library."""

    async def find(self, ref: StreamRef) -> CentralStream:
        """The stream, if it is on; within 2 s. Raises StreamNotFoundError, CentralUnavailableError, NotSupportedError
        when there is no central API, and MediaError when it has no address that any box could play."""


class NoStreams:
    """The directory of an agent without a central API."""

    async def find(self, ref: StreamRef) -> CentralStream:
        """Find a stream. Raises NotSupportedError."""
        raise NotSupportedError("This agent has no central API, so it cannot join streams by code or id.")

    async def kept_video(self, video_id: str) -> None:
        """Return None: nothing is kept."""

    async def find_video(self, video_id: str) -> CentralVideo:
        """Find a video. Raises NotSupportedError."""
        raise NotSupportedError("This agent has no central API, so it cannot play videos of its library.")


class Publishing(Enum):
    """The state of a stream, as the central API reported it last."""

    ON = auto()
    """The stream is on, or nothing is known yet."""
    INTERRUPTED = auto()
    """The publisher is away, and expected back."""
    ENDED = auto()
    """The stream has ended for good."""


class JoinedSource:
    """A Source: what one session has joined. `redact` takes credentials out of a URL.

    It has several addresses. One that cannot be played makes way for the next; one that was shown keeps its turn.
    """

    def __init__(
        self,
        session: Session,
        ref: StreamRef,
        *,
        streams: Streams,
        players: PlayerSource,
        check: Check,
        redact: Callable[[str], str],
    ) -> None:
        self._session = session
        self._ref = ref
        self._streams = streams
        self._players = players
        self._check = check
        self._redact = redact
        self._random = random.Random()  # noqa: S311 - it spreads calls over time
        self._addresses: tuple[str, ...] = ()
        self._turn = 0
        self._refusals: list[AgentError] = []
        """The failures of the addresses that were tried since one was shown."""
        self._answers = True
        """True if the central API answered the last call."""
        self._publishing = Publishing.ON
        self.has_moved = asyncio.Event()
        """Set when the address that plays is no longer one of the stream's."""

    async def is_on(self) -> bool:
        """Return True if the stream is still on. Called before an attempt, and after one has failed.

        Where the central API cannot tell, the last known state counts, without a wait. Raises the reason if nothing is
        known, and MediaError if this box may not play the stream.
        """
        if self._session.joined is None:
            await self._look_up()
        elif self._answers:
            try:
                async with asyncio.timeout(KNOWN_S):
                    await self._look_up()
            except TimeoutError:
                self._answers = False
                log.info(
                    "stream_lookup_skipped", session_id=self._session.id, reason=f"No answer within {KNOWN_S:g} s."
                )
            except (CentralUnavailableError, NotSupportedError) as error:
                log.info("stream_lookup_skipped", session_id=self._session.id, reason=str(error))
        if not self._addresses and self._session.joined is not None:
            await self._take(self._session.joined)  # from before a restart
        return not self._has_ended

    async def follow(self) -> None:
        """Return when it has ended, also while the session waits. Raises MediaError when it has become something that
        this box may not play, StreamNotFoundError when it ended before it was ever on the screen."""
        pause_s, failures = FOLLOW_S, 0
        while not self._has_ended:
            await asyncio.sleep(pause_s * self._random.uniform(1 - JITTER, 1 + JITTER))
            if self._session.joined is None:
                continue
            try:
                await self._look_up()
                pause_s, failures = FOLLOW_S, 0
            except (CentralUnavailableError, NotSupportedError) as error:
                asked_for = error.retry_after_s if isinstance(error, CentralUnavailableError) else None
                failures += 1
                pause_s = max(FOLLOW_PAUSES.after(failures), asked_for or 0.0)

    @property
    def is_awaited(self) -> bool:
        return self._publishing is Publishing.INTERRUPTED and self._answers

    async def rest(self, delay_s: float) -> None:
        """Wait before the next attempt. While the publisher is away the central API is asked meanwhile, which costs
        less than an attempt."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(delay_s):
                while self.is_awaited:
                    await asyncio.sleep(AWAITED_S * self._random.uniform(1 - JITTER, 1 + JITTER))
                    with contextlib.suppress(CentralUnavailableError, NotSupportedError):
                        await self._look_up()
                        if self._publishing is not Publishing.INTERRUPTED:
                            return
                await asyncio.sleep(delay_s)

    def choose(self) -> None:
        """The next attempt plays the address whose turn it is."""
        url = self._addresses[self._turn]
        self._session.plays_at(self._with_code(url), shown_url=self._redact(url), anew=self.has_moved.is_set())
        self.has_moved.clear()

    @property
    def untried(self) -> int:
        """Addresses that are left for when this one cannot be played."""
        return len(self._addresses) - len(self._refusals) - 1

    def shown(self) -> None:
        """Record that the attempt has shown something."""
        self._refusals = []

    def failed(self, error: AgentError) -> AgentError | None:
        """The attempt failed before its first frame. None when another address is to be tried at once; otherwise the
        error of the best one, and the next attempt begins with that again."""
        if self.is_awaited:
            return error  # nothing is wrong with the address
        self._refusals.append(error)
        self._turn = (self._turn + 1) % len(self._addresses)
        if len(self._refusals) < len(self._addresses):
            return None
        first, self._refusals = self._refusals[0], []
        return self._without_password(first)

    @property
    def _has_ended(self) -> bool:
        return self._publishing is Publishing.ENDED

    def _heard(self, publishing: Publishing) -> None:
        """Take in an answer of the central API."""
        self._answers = True
        if not self._has_ended:
            self._publishing = publishing

    async def _look_up(self) -> None:
        known = self._session.joined
        try:
            found = await self._streams.find(self._ref if known is None else StreamRef(stream_id=known.stream_id))
        except StreamNotFoundError as error:
            self._heard(Publishing.ENDED)
            if known is None:
                raise
            log.info("joined_stream_ended", session_id=self._session.id, stream_id=known.stream_id)
            if not self._session.has_played:
                raise StreamNotFoundError("The stream ended before it was on the screen.") from error
            return
        except MediaError:
            if known is None:
                raise
            return  # a mistake at the central API ends nothing
        except AgentError:
            self._answers = False
            raise
        self._heard(Publishing.INTERRUPTED if found.is_interrupted else Publishing.ON)
        if found != known or not self._addresses:
            await self._take(found)

    async def _take(self, stream: CentralStream) -> None:
        addresses = await self._playable(stream.urls)
        session, plays = self._session, self._addresses[self._turn] if self._addresses else None
        if plays in addresses:
            self._turn = addresses.index(plays)
        else:
            self._turn, self._refusals = 0, []
            if plays is not None:
                self.has_moved.set()
        self._addresses, shown_url = addresses, self._redact(addresses[self._turn])
        session.joins(stream, shown_url=shown_url)
        if plays is None or self.has_moved.is_set():
            log.info("stream_joined", session_id=session.id, stream_id=stream.stream_id, url=shown_url)

    async def _playable(self, urls: Sequence[str]) -> tuple[str, ...]:
        """The addresses that this box may play, the best first. Those whose engine is available come before all others.

        Raises MediaError if there is none, PlayerUnavailableError if no engine is available for a start.
        """
        ready, others = [], []
        refusal: AgentError | None = None
        for url in urls:
            try:
                checked = await self._check(url)
                self._players.check(checked)
            except FileAwayError:
                ready.append(url)  # it may come
            except InvalidRequestError as error:
                log.warning("address_refused", session_id=self._session.id, url=self._redact(url), reason=str(error))
                refusal = refusal or MediaError(ErrorCode.MEDIA_FORBIDDEN, f"This box may not play it: {error}")
            except PlayerUnavailableError as error:
                others.append(checked)
                refusal = refusal or error
            else:
                ready.append(checked)
        if refusal is not None and not ready and not (others and self._session.has_played):
            raise refusal
        return (*ready, *others)

    def _without_password(self, error: AgentError) -> AgentError:
        """The same, and why: another box has a password for it, and tells nobody."""
        stream = self._session.joined
        is_locked = isinstance(error, MediaError) and error.failure.code is ErrorCode.MEDIA_UNAUTHORIZED
        if not is_locked or stream is None or stream.is_published:
            return error
        advice = "The box that shows it does not share its password: start the address here, with the password."
        return MediaError(ErrorCode.MEDIA_UNAUTHORIZED, f"{error} {advice}")

    def _with_code(self, url: str) -> str:
        stream = self._session.joined
        return with_code(url, stream.code) if stream is not None and stream.is_published else url
