"""One session: what was asked for, what of it is played, where it is in its life, and how it ended."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from agent.casting.progress import Course
from agent.errors import InvalidTransitionError
from agent.events.bus import Emit, EventKind, nobody
from agent.player.base import Opened, Player
from agent.types import (
    CentralStream,
    EndReason,
    Failure,
    MediaType,
    PlayerState,
    SessionChange,
    SessionId,
    SessionSnapshot,
    SessionState,
    StartRequest,
    StreamRef,
    StreamType,
)

MOVES: Mapping[SessionState, frozenset[SessionState]] = {
    SessionState.PENDING: frozenset({SessionState.STARTING, SessionState.WAITING, SessionState.STOPPING}),
    SessionState.STARTING: frozenset({SessionState.ACTIVE, SessionState.WAITING, SessionState.STOPPING}),
    SessionState.ACTIVE: frozenset({SessionState.WAITING, SessionState.STOPPING}),
    SessionState.WAITING: frozenset({SessionState.STARTING, SessionState.STOPPING}),
    SessionState.STOPPING: frozenset({SessionState.ENDED}),
    SessionState.ENDED: frozenset(),
}
"""Every move there is; anything else raises. A session that is taken up again after a failure stays `active`."""

LISTS_IN_EACH_OTHER = 3
"""What stations of a directory need is two; a list that names itself ends here."""

ENTRIES_LIMIT = 100
"""Of all lists together."""


@dataclass(frozen=True, slots=True)
class End:
    """Why a session ended, and with which failure."""

    reason: EndReason
    failure: Failure | None = None


class Session:
    """One-shot: playing something again is a new session. `shown_url` is the url without its credentials, and empty
    for what is still to be looked up. `emit` is told each of its transitions."""

    def __init__(
        self,
        request: StartRequest,
        *,
        shown_url: str,
        volume: float,
        muted: bool,
        session_id: SessionId | None = None,
        emit: Emit = nobody,
    ) -> None:
        loop = asyncio.get_running_loop()
        self.id = session_id or SessionId(str(uuid.uuid4()))
        self.request = request
        self.has_first_frame = asyncio.Event()
        self.has_ended = asyncio.Event()
        self.is_located = asyncio.Event()
        """Once the stream is known that it was asked to join."""
        self.attempt = 1
        self.volume = volume
        self.muted = muted
        self.paused = False
        self.deadline: float | None = None
        """Monotonic; when it ends by itself."""
        self._now = loop.time
        self._shown_url = shown_url
        self._joined: CentralStream | None = None
        self._source = request.url
        """What it plays, or the playlist that led to it."""
        self._state = SessionState.PENDING
        self._end: End | None = None
        self._trouble: Failure | None = None
        self._retry_at: float | None = None
        self._accepted_at = loop.time()
        self._accepted_utc = datetime.now(UTC)
        self._ended_utc: datetime | None = None
        self._first_frame_at: float | None = None
        self._course = Course(request.position, now=loop.time)
        self.was_extended = False
        """Somebody gave it another duration while it was on."""
        self._entries = [request.url]
        self._depths = [0]
        """Of each entry: in how many lists it lies."""
        self._origins = [0]
        """Of each entry: which of the first list it is, or came from."""
        self._entry = 0
        self._entry_wanted = 0
        self._emit = emit
        self._told = self._player_state()
        """The player state that was told last."""
        self._told_facts = self._facts()
        """Those that were told last."""
        self._tell(EventKind.SESSION_STARTED, url=shown_url, title=request.title)

    @property
    def url(self) -> str:
        """What is to be played now: the url of the request, or an entry of the playlist that it led to."""
        return self._entries[self._entry]

    @property
    def joined(self) -> CentralStream | None:
        """The stream of the central API that it plays, as it was when it was looked up last."""
        return self._joined

    @property
    def state(self) -> SessionState:
        return self._state

    @property
    def end(self) -> End | None:
        """How it ends; set before the session has ended, by whoever ends it."""
        return self._end

    @property
    def media_type(self) -> MediaType | None:
        return self._course.media_type

    @property
    def stream_type(self) -> StreamType | None:
        return self._course.progress.stream_type

    @property
    def has_played(self) -> bool:
        """Whether it ever had a first frame, also before a restart of the agent."""
        return self._first_frame_at is not None

    @property
    def accepted_for(self) -> float:
        """Seconds since it was accepted."""
        return self._now() - self._accepted_at

    @property
    def entry(self) -> int:
        """Of the playlist that it plays, counted from 0; 0 for anything else. Of a list in a list that of the list."""
        return self._origins[self._entry]

    @property
    def on_for(self) -> float:
        """Seconds since its first frame, whatever happened since; 0 before."""
        return 0.0 if self._first_frame_at is None else self._now() - self._first_frame_at

    @property
    def resume_position(self) -> float:
        """Seconds into the media at which to go on; 0 for a live stream."""
        return self._course.resume_position

    @property
    def remaining(self) -> float | None:
        """Seconds of its duration that are left; None when it has none, or the first frame has not come."""
        return None if self.deadline is None else max(0.0, self.deadline - self._now())

    def move(self, state: SessionState) -> None:
        """Raises InvalidTransitionError for a move that is not in MOVES."""
        if state not in MOVES[self._state]:
            raise InvalidTransitionError(f"A session cannot go from {self._state} to {state}.")
        self._state = state
        if state is SessionState.STARTING:
            self._tell(EventKind.SESSION_LOADING)
        elif state is SessionState.WAITING:
            self._tell(EventKind.SESSION_WAITING)
        elif state is SessionState.ENDED:
            assert self._end is not None, "a session ends with a reason"
            self._ended_utc = datetime.now(UTC)
            self.has_ended.set()
        self._tell_playback()

    def conclude(self, reason: EndReason, failure: Failure | None = None) -> bool:
        """Say how it ends. The first to say it wins; tells whether that was this call."""
        if self._end is not None:
            return False
        self._end = End(reason, failure)
        return True

    def change(self, change: SessionChange) -> None:
        """Take over title, volume and mute, and count a new duration from now."""
        self.request = replace(
            self.request,
            title=self.request.title if change.title is None else change.title,
            duration=self.request.duration if change.duration is None else change.duration,
        )
        self.volume = self.volume if change.volume is None else change.volume
        self.muted = self.muted if change.muted is None else change.muted
        if change.duration is not None and self.has_played:
            self.expires_in(change.duration)
            self.was_extended = True
        self._tell(EventKind.SESSION_CHANGED)

    def expires_in(self, seconds: float) -> None:
        """End by itself so many seconds from now."""
        self.deadline = self._now() + max(0.0, seconds)

    def was_playing(self, *, position: float, entry: int = 0, paused: bool = False) -> None:
        """It is taken up after a restart of the agent: it has played before."""
        self.paused = paused
        self._first_frame_at = self._accepted_at
        self._course.goes_on_at(position)
        self._entry_wanted = entry
        self.has_first_frame.set()

    def joins(self, stream: CentralStream, *, shown_url: str) -> None:
        """This is what it is to play; `shown_url` is where, until an attempt says it."""
        self._joined = stream
        self._shown_url = self._shown_url or shown_url
        self.is_located.set()
        self._tell(EventKind.SESSION_CHANGED)

    def plays_at(self, url: str, *, shown_url: str, anew: bool = False) -> None:
        """The next attempt plays this address of what it has joined; `anew` when that is something else than before."""
        if anew:
            self._entry_wanted = 0
            self._course.goes_on_at(0.0)
        if anew or url != self._source:
            self._entries, self._depths, self._origins, self._entry = [url], [0], [0], 0
        if shown_url != self._shown_url:
            self._shown_url = shown_url
            self._tell(EventKind.SESSION_CHANGED)
        self._source = url

    # --- its player ---

    def plays_on(self, player: Player) -> None:
        """From now on this player tells how far it is."""
        self._course.plays_on(player)
        self._tell_playback()

    def opened(self, opened: Opened) -> None:
        self._course.opened(opened)

    def first_frame(self) -> None:
        """Its picture is on the screen, or its sound has been heard; for the first time, or again."""
        now, again = self._now(), self.has_played
        self._course.comes_on(again=again, paused=self.paused)
        self.attempt, self._trouble, self._retry_at = 1, None, None
        if self._state is not SessionState.ACTIVE:
            self.move(SessionState.ACTIVE)
        if not again:
            self._first_frame_at = now
            if self.request.duration is not None and self.deadline is None:
                self.deadline = now + self.request.duration
        self.has_first_frame.set()
        if again:
            self._tell(EventKind.SESSION_RESUMED)
        else:
            self._tell(
                EventKind.FIRST_FRAME,
                seconds=round(now - self._accepted_at, 3),
                engine=self._course.engine,
                scheme=self.url.partition(":")[0].lower(),
            )
        self._told_facts = self._facts()
        self._tell_playback()

    def lets_go(self) -> None:
        """Its player is about to be ended: remember where it was."""
        self._course.lets_go()

    def failed_for_now(self, trouble: Failure, *, retry_in_s: float) -> None:
        """It will be tried again."""
        self.attempt += 1
        self._trouble = trouble
        self._retry_at = self._now() + retry_in_s
        self._tell(EventKind.SESSION_FAILING, code=trouble.code, attempt=self.attempt)
        self._tell_playback()

    def tries_again(self) -> None:
        self._retry_at = None

    def takes_entries(self, entries: Sequence[str]) -> bool:
        """Play these, in order, in place of what turned out to be a list of them; False when lists lie too deep in each
        other."""
        at, depth = self._entry, self._depths[self._entry] + 1
        if depth > LISTS_IN_EACH_OTHER:
            return False
        added = list(entries)[: ENTRIES_LIMIT + 1 - len(self._entries)]
        self._origins[at : at + 1] = range(len(added)) if depth == 1 else [self._origins[at]] * len(added)
        self._entries[at : at + 1] = added
        self._depths[at : at + 1] = [depth] * len(added)
        if depth == 1:
            self._entry = min(self._entry_wanted, len(added) - 1)
        return True

    @property
    def has_next_entry(self) -> bool:
        """Whether the playlist that it plays holds one more."""
        return self._entry + 1 < len(self._entries)

    def begins_list_again(self) -> None:
        """None of its entries could be played yet."""
        self._entry = 0

    def skips_entry(self) -> bool:
        """Leave out the entry of the playlist that cannot be played; False when there is no next one."""
        if not self.has_next_entry:
            return False
        self._entry += 1
        self._course.goes_on_at(0.0)
        return True

    def goes_on(self) -> bool:
        """What it played has come to its end: the next attempt plays the next entry, or begins again. False when
        there is neither."""
        self.lets_go()
        self._course.goes_on_at(0.0)
        if self.has_next_entry:
            self._entry += 1
        elif self.request.loop:
            self._entry = 0
        else:
            return False
        return True

    def pause(self, paused: bool) -> None:
        self.paused = paused
        self._course.pause(paused)
        self._tell_playback()

    def jump(self, position: float) -> None:
        """It was sent to `position` seconds; beyond its end it is at its end."""
        self._course.jump(position)
        self._tell(EventKind.SESSION_CHANGED)

    def observe(self) -> float:
        """Take in the player's latest report; seconds since something last advanced."""
        still_s = self._course.observe()
        self._tell_playback()
        if (facts := self._facts()) != self._told_facts:
            self._told_facts = facts
            self._tell(EventKind.SESSION_CHANGED)
        return still_s

    def stall_after(self, timeout_s: float) -> float:
        """Seconds without anything new after which it stands, where `timeout_s` is usual."""
        return self._course.stall_after(timeout_s)

    # --- what others see ---

    def snapshot(self) -> SessionSnapshot:
        course, first, joined = self._course, self._first_frame_at, self._joined
        wish, progress = self.request.join or StreamRef(), course.progress
        position, position_at = course.place
        return SessionSnapshot(
            session_id=self.id,
            url=self._shown_url,
            title=self.request.title or (joined.title if joined else None),
            quality=self.request.quality,
            session_state=self._state,
            state=self._player_state(),
            started_at=self._accepted_utc,
            volume_level=self.volume,
            muted=self.muted,
            stream_id=joined.stream_id if joined else wish.stream_id,
            code=joined.code if joined else wish.code,
            first_frame_at=None if first is None else self._utc(first),
            time_to_first_frame=None if first is None else first - self._accepted_at,
            position=position,
            position_updated_at=None if position is None else self._utc(position_at),
            duration=progress.duration,
            expires_at=None if self.deadline is None else self._utc(self.deadline),
            frames_displayed=course.pictures,
            media_type=course.media_type,
            stream_type=progress.stream_type,
            engine=course.engine,
            hardware_decoding=progress.hardware_decoding,
            attempt=self.attempt,
            retry_at=None if self._retry_at is None else self._utc(self._retry_at),
            ended_at=self._ended_utc,
            reason=self._end.reason if self._end else None,
            error=self._end.failure if self._end else self._trouble,
            capabilities=course.capabilities,
        )

    def _tell(self, kind: EventKind, **data: str | float | bool | None) -> None:
        self._emit(kind, self.id, **data)

    def _facts(self) -> tuple[object, ...]:
        """What a player finds out about its media, some of it only after the first frame. A length that is still
        estimated, or grows, counts as another one for each 10 s."""
        course = self._course
        duration = course.progress.duration
        return course.progress.stream_type, None if duration is None else round(duration, -1), course.capabilities

    def _tell_playback(self) -> None:
        state = self._player_state()
        if state is not self._told:
            self._told = state
            self._tell(EventKind.PLAYBACK_CHANGED, state=state)

    def _player_state(self) -> PlayerState:
        if self._state in (SessionState.STOPPING, SessionState.ENDED, SessionState.WAITING):
            return PlayerState.IDLE
        if self._state is SessionState.ACTIVE and not self._course.is_on:
            return PlayerState.BUFFERING  # it has played, and is taken up again
        return self._course.state

    def _utc(self, monotonic: float) -> datetime:
        return datetime.now(UTC) - timedelta(seconds=self._now() - monotonic)
