"""What one session tells of itself, to whoever follows the bus."""

from __future__ import annotations

from typing import Final

from agent.casting.progress import Progress
from agent.events.bus import Emit
from agent.types import PlayerState, SessionId
from cast_wire.kinds import EventKind

BY_PLAYER: Final = {"by": "player"}
"""In the data of an event that nobody asked for: the player got on, stood, or found something out."""


class Announcer:
    """Emits events of one session. A state, and what a player finds out, are told when they are other ones only."""

    def __init__(self, session_id: SessionId, emit: Emit, state: PlayerState) -> None:
        self._session_id = session_id
        self._emit = emit
        self._state = state
        self._facts: tuple[object, ...] = ()

    def tell(self, kind: EventKind, **data: str | float | bool | None) -> None:
        self._emit(kind, self._session_id, **data)

    def playback(self, state: PlayerState, **data: str) -> bool:
        """This is the state now. Return True if it is another one, which is told then."""
        if state is self._state:
            return False
        self._state = state
        self.tell(EventKind.PLAYBACK_CHANGED, state=state, **data)
        return True

    def ends(self) -> None:
        """It is wanted no more. Told of one that waits, too, whose state is the same as before."""
        self._state = PlayerState.IDLE
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
