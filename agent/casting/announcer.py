"""The events of one session, for everyone who follows the bus."""

from __future__ import annotations

from typing import Final

from agent.casting.progress import Progress
from agent.casting.shown import Shown
from agent.events.bus import Emit
from agent.types import PlayerState, SessionId
from cast_wire.kinds import EventKind

BY_PLAYER: Final = {"by": "player"}
"""The data of an event that nobody asked for: the player went on, stalled, or found something out."""


class Announcer:
    """Emits the events of one session, and has `shown` count. A state, or a fact of the player, is emitted only if it
    has changed."""

    def __init__(self, session_id: SessionId, emit: Emit, state: PlayerState, shown: Shown) -> None:
        self._session_id = session_id
        self._emit = emit
        self._shown = shown
        self._state = state
        self._facts: tuple[object, ...] = ()

    def tell(self, kind: EventKind, **data: str | float | bool | None) -> None:
        self._emit(kind, self._session_id, **data)

    def playback(self, state: PlayerState, **data: str) -> bool:
        """Set the state. Return True if it has changed, and emit it then."""
        if state is self._state:
            return False
        self._state = state
        self._shown.turns(state)
        self.tell(EventKind.PLAYBACK_CHANGED, state=state, **data)
        return True

    def ends(self) -> None:
        """Mark the session as no longer wanted. A session that waits emits this, too, though its state stays the
        same."""
        self._state = PlayerState.IDLE
        self._shown.turns(self._state)
        self.tell(EventKind.PLAYBACK_CHANGED, state=self._state)

    def know(self, progress: Progress) -> None:
        """Include the facts that the player has found out in the event that is emitted now."""
        self._facts = _facts(progress)

    def found_out(self, progress: Progress) -> None:
        """Look whether its player has found out something more."""
        if (facts := _facts(progress)) != self._facts:
            self._facts = facts
            self.tell(EventKind.SESSION_CHANGED, **BY_PLAYER)


def _facts(progress: Progress) -> tuple[object, ...]:
    """The facts that a player finds out about its media, some only after the first frame. A length that is still
    estimated, or grows, counts as changed every 10 s."""
    report = progress.report
    length = None if report.duration is None else round(report.duration, -1)
    return report.stream_type, length, report.sound_lost, progress.capabilities
