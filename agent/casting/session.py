"""One session: what was asked for, what of it is played, where it is in its life, and how it ended."""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import replace

from agent.casting.announcer import BY_PLAYER, Announcer
from agent.casting.lifetime import Lifetime
from agent.casting.moves import MOVES, End
from agent.casting.playlist import Playlist
from agent.casting.progress import Progress
from agent.casting.shown import Shown
from agent.errors import InvalidTransitionError
from agent.events.bus import Emit, nobody
from agent.player.base import Player
from agent.snapshot import SessionSnapshot
from agent.types import (
    CentralStream,
    EndReason,
    Failure,
    PlayerState,
    SessionChange,
    SessionId,
    SessionState,
    StartRequest,
    StreamRef,
)
from cast_wire.kinds import EventKind


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
        self._now = now = asyncio.get_running_loop().time
        self.id = session_id or SessionId(str(uuid.uuid4()))
        self.request = request
        self.has_first_frame = asyncio.Event()
        self.has_ended = asyncio.Event()
        self.is_located = asyncio.Event()
        """Set once the stream is known that the session was asked to join."""
        self.attempt = 1
        self.volume = volume
        self.muted = muted
        self.paused = False
        self.lifetime = Lifetime(now)
        self._shown_url = shown_url
        self._joined: CentralStream | None = None
        self._source = request.url
        """The source, or the playlist that led to it."""
        self._state = SessionState.PENDING
        self._end: End | None = None
        self._trouble: Failure | None = None
        self._retry_at: float | None = None
        self.progress = Progress(request.position, now=now)
        """The position and length of its media."""
        self.playlist = Playlist(request.url, request.rotation)
        """The media, one after the other."""
        self.shown = Shown(request.join.video_id if request.join else None, now=now)
        self._announcer = Announcer(self.id, emit, self._player_state(), self.shown)
        self._announcer.know(self.progress)
        self._announcer.tell(EventKind.SESSION_STARTED, url=shown_url, title=request.title, quality=request.quality)

    @property
    def url(self) -> str:
        """The address to play now: the url of the request, or an entry of the playlist that it led to."""
        return self.playlist.url

    @property
    def joined(self) -> CentralStream | None:
        """The stream of the central API that it plays, as it was when it was looked up last."""
        return self._joined

    @property
    def state(self) -> SessionState:
        return self._state

    @property
    def end(self) -> End | None:
        """The reason for the end, set before the session ends by whoever ends it."""
        return self._end

    @property
    def has_played(self) -> bool:
        """Return True if the session ever had a first frame, also before a restart of the agent."""
        return self.lifetime.first_frame_at is not None

    def move(self, state: SessionState) -> None:
        """Change the state. Raises InvalidTransitionError for a move that is not in MOVES."""
        if state not in MOVES[self._state]:
            raise InvalidTransitionError(f"A session cannot go from {self._state} to {state}.")
        self._state = state
        if state is SessionState.STARTING:
            self._announcer.tell(EventKind.SESSION_LOADING)
        elif state is SessionState.WAITING:
            self._announcer.tell(EventKind.SESSION_WAITING)
        elif state is SessionState.ENDED:
            assert self._end is not None, "a session ends with a reason"
            self.lifetime.end()
            self.has_ended.set()
        self._tell_playback()

    def conclude(self, reason: EndReason, failure: Failure | None = None) -> bool:
        """Say how it ends. The first to say it wins; tells whether that was this call."""
        if self._end is not None:
            return False
        self._end = End(reason, failure)
        self._announcer.ends()
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
            self.lifetime.expires_in(change.duration)
            self.lifetime.was_extended = True
        self._announcer.tell(EventKind.SESSION_CHANGED)

    def was_playing(self, *, position: float, entry: int = 0, paused: bool = False) -> None:
        """Mark a session that is restored after a restart of the agent as one that has played."""
        self.paused = paused
        self.lifetime.first_frame_at = self.lifetime.accepted_at
        self.progress.goes_on_at(position)
        self.playlist.begin_at(entry)
        self.has_first_frame.set()

    def joins(self, stream: CentralStream, *, shown_url: str) -> None:
        """Set what the session plays. `shown_url` is the address until an attempt reports one."""
        self._joined = stream
        self._shown_url = self._shown_url or shown_url
        self.is_located.set()
        self._announcer.tell(EventKind.SESSION_CHANGED, url=self._shown_url, title=self.request.title or stream.title)

    def plays_at(self, url: str, *, shown_url: str, anew: bool = False) -> None:
        """Set the address that the next attempt plays; `anew` if the media is another one than before."""
        wanted = 0 if anew else self.playlist.wanted
        if anew:
            self.progress.goes_on_at(0.0)
        if anew or url != self._source:
            self.playlist = Playlist(url)
            self.playlist.begin_at(wanted)
        if shown_url != self._shown_url:
            self._shown_url = shown_url
            self._announcer.tell(EventKind.SESSION_CHANGED, url=shown_url)
        self._source = url

    # --- its player ---

    def plays_on(self, player: Player) -> None:
        """Take the position from this player."""
        self.progress.plays_on(player)
        self._tell_playback()

    def first_frame(self) -> None:
        """Its picture is on the screen, or its sound has been heard; for the first time, or again."""
        lifetime, again = self.lifetime, self.has_played
        self.progress.comes_on(again=again, paused=self.paused)
        self.attempt, self._trouble, self._retry_at = 1, None, None
        if self._state is not SessionState.ACTIVE:
            self.move(SessionState.ACTIVE)
        if not again:
            lifetime.first_frame_at = self._now()
            if self.request.duration is not None and lifetime.deadline is None:
                lifetime.expires_in(self.request.duration)
        self.has_first_frame.set()
        if again:
            self._announcer.tell(EventKind.SESSION_RESUMED)
        else:
            self._announcer.tell(
                EventKind.FIRST_FRAME,
                seconds=round(lifetime.time_to_first_frame or 0.0, 3),
                engine=self.progress.engine,
                scheme=self.url.partition(":")[0].lower(),
            )
        self._announcer.know(self.progress)
        self._tell_playback()

    def lets_go(self) -> None:
        """Its player is about to be ended: remember where it was."""
        self.progress.lets_go()

    def failed_for_now(self, trouble: Failure, *, retry_in_s: float) -> None:
        """Record a failure after which it is retried."""
        self.attempt += 1
        self._trouble = trouble
        self._retry_at = self._now() + retry_in_s
        code, message = trouble.code, trouble.message
        self._announcer.tell(EventKind.SESSION_FAILING, code=code, message=message, attempt=self.attempt)
        self._tell_playback()

    def tries_again(self) -> None:
        self._retry_at = None

    def skips_entry(self) -> bool:
        """Leave out the entry of the playlist that cannot be played; False when there is no next one."""
        if not self.playlist.skip():
            return False
        self.progress.goes_on_at(0.0)
        return True

    def goes_on(self) -> bool:
        """Advance to the next entry of the playlist, or to a repeat, for the next attempt. Return False if there is
        neither."""
        self.lets_go()
        self.progress.goes_on_at(0.0)
        self.shown.completes()
        if self.playlist.skip():
            return True
        if self.request.loop:
            self.playlist.rewind()
        return self.request.loop

    def pause(self, paused: bool) -> None:
        self.paused = paused
        self.progress.pause(paused)
        if not self._announcer.playback(self._player_state()):  # it is being retried
            self._announcer.tell(EventKind.SESSION_CHANGED)

    def jump(self, position: float) -> None:
        """Record a seek to `position` seconds, at most to the end."""
        self.progress.jump(position)
        self._announcer.tell(EventKind.SESSION_CHANGED)

    def observe(self) -> float:
        """Take in the player's latest report; seconds since something last advanced."""
        still_s = self.progress.observe()
        self._announcer.playback(self._player_state(), **BY_PLAYER)
        self._announcer.found_out(self.progress)
        return still_s

    # --- what others see ---

    def snapshot(self) -> SessionSnapshot:
        progress, lifetime, joined = self.progress, self.lifetime, self._joined
        wish, report = self.request.join or StreamRef(), progress.report
        position, position_at = progress.place
        return SessionSnapshot(
            session_id=self.id,
            url=self._shown_url,
            title=self.request.title or (joined.title if joined else None),
            quality=self.request.quality,
            session_state=self._state,
            state=self._player_state(),
            started_at=lifetime.accepted_utc,
            volume_level=self.volume,
            muted=self.muted,
            stream_id=joined.stream_id if joined else wish.stream_id,
            code=joined.code if joined else wish.code,
            video_id=wish.video_id,
            first_frame_at=lifetime.utc(lifetime.first_frame_at),
            time_to_first_frame=lifetime.time_to_first_frame,
            position=position,
            position_updated_at=None if position is None else lifetime.utc(position_at),
            duration=report.duration,
            expires_at=lifetime.utc(lifetime.deadline),
            frames_displayed=progress.pictures,
            media_type=progress.media_type,
            stream_type=report.stream_type,
            engine=progress.engine,
            hardware_decoding=report.hardware_decoding,
            attempt=self.attempt,
            retry_at=lifetime.utc(self._retry_at),
            ended_at=lifetime.ended_utc,
            reason=self._end.reason if self._end else None,
            error=self._failure(),
            capabilities=progress.capabilities,
        )

    def _failure(self) -> Failure | None:
        if self._end is not None:
            return self._end.failure
        return self._trouble or (None if self.muted else self.progress.problem)

    def _tell_playback(self) -> None:
        self._announcer.playback(self._player_state())

    def _player_state(self) -> PlayerState:
        if self._end is not None or self._state is SessionState.WAITING:
            return PlayerState.IDLE
        if self._state is SessionState.ACTIVE and not self.progress.is_on:
            return PlayerState.BUFFERING  # it has played, and is retried
        return self.progress.state
