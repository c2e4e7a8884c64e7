"""Makes sessions and what runs them."""

from __future__ import annotations

from random import Random

from agent.casting.attempt import Attempt
from agent.casting.handover import Handover
from agent.casting.joined_source import JoinedSource
from agent.casting.limits import Limits, any_url
from agent.casting.parts import SessionParts
from agent.casting.retry import Retry
from agent.casting.runner import SessionRunner
from agent.casting.saved import Saved, Volume
from agent.casting.session import Session
from agent.casting.source import Address, Source
from agent.casting.stack import Stack
from agent.casting.video_source import VideoSource
from agent.events.bus import Emit
from agent.player.base import Players
from agent.types import StartRequest


class Runners:
    """Makes the runner of each session. `adjust` is to be called before the first."""

    def __init__(
        self,
        around: SessionParts,
        *,
        stack: Stack,
        handover: Handover,
        emit: Emit,
        random: Random,
    ) -> None:
        self._around = around
        self._stack = stack
        self._handover = handover
        self._emit = emit
        self._random = random

    def adjust(self, limits: Limits, *, retry: bool) -> None:
        """Change the limits, from the next session on."""
        self._limits = limits
        self._retry = Retry(enabled=retry, start_timeout=limits.start_timeout, random=self._random)

    def make(self, request: StartRequest, volume: Volume) -> SessionRunner:
        """A runner of a new session, whose URL was checked."""
        session = Session(
            request,
            shown_url=self._around.redact(request.url),
            volume=volume.level,
            muted=volume.muted,
            emit=self._emit,
        )
        return self._runner(session, checked=request.join is None)

    def take_up(self, saved: Saved) -> SessionRunner:
        """A runner of a session that was there before a restart; its URL is checked again."""
        redact = self._around.redact
        session = Session(
            saved.request,
            shown_url=redact(saved.request.url),
            volume=saved.volume.level,
            muted=saved.volume.muted,
            session_id=saved.session_id,
            emit=self._emit,
        )
        if saved.joined is not None:
            session.joins(saved.joined, shown_url=redact(saved.joined.urls[0]))
        if saved.played:
            session.was_playing(position=saved.position, entry=saved.entry, paused=saved.paused)
            session.shown.was(saved.shown_s, completed=saved.completed)
            if saved.remaining is not None:
                session.lifetime.expires_in(saved.remaining)
        return self._runner(session, checked=False)

    def _runner(self, session: Session, *, checked: bool) -> SessionRunner:
        around = self._around

        def attempt(session: Session, players: Players, checked: bool) -> Attempt:
            return Attempt(
                session,
                players=players,
                parts=around,
                limits=self._limits,
                check=any_url if checked else around.check,
                screen=self._handover,
                make_room=lambda of_memory: self._stack.make_room(session, of_memory=of_memory),
            )

        return SessionRunner(
            session,
            self._source(session),
            parts=around,
            make_attempt=attempt,
            retry=self._retry,
            checked=checked,
            make_room=lambda: self._stack.make_room(session),
        )

    def _source(self, session: Session) -> Source:
        around, join = self._around, session.request.join
        if join is None:
            return Address()
        if join.video_id is not None:
            library = around.streams
            return VideoSource(session, join.video_id, library=library, players=around.players, check=around.check)
        return JoinedSource(
            session, join, streams=around.streams, players=around.players, check=around.check, redact=around.redact
        )
