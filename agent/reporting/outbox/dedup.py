"""The events of each session that the outbox has, over restarts of the agent: they decide what is new."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace

from pydantic import JsonValue

from agent.events.event import Occurrence
from agent.reporting.outbox.schema import DamagedError
from agent.types import EndReason
from cast_wire.kinds import EventKind


@dataclass(slots=True)
class _Known:
    phase: EventKind
    """The event that was told last."""
    framed: bool
    """True if its first frame was told."""


Row = tuple[str, str, bool]
"""A session, what was told of it last, and whether its first frame was."""


class Dedup:
    """Removes duplicates. Sessions come back under their ids after a restart, so each event is reported once, however
    often it is seen."""

    def __init__(self) -> None:
        self._known: dict[str, _Known] = {}

    def rows(self) -> tuple[Row, ...]:
        """The rows to store."""
        return tuple((session, known.phase.value, known.framed) for session, known in self._known.items())

    def load(self, rows: Iterable[Row]) -> None:
        """Load the stored rows. Raises DamagedError."""
        try:
            self._known = {session: _Known(EventKind(phase), bool(framed)) for session, phase, framed in rows}
        except ValueError as error:
            raise DamagedError("a session is in no phase that there is") from error

    def assume(self, present: Collection[str]) -> None:
        """Assume that these sessions, which existed before the stored rows were lost, have been reported."""
        for session in present:
            self._known.setdefault(session, _Known(EventKind.FIRST_FRAME, True))

    def news(self, occurrence: Occurrence) -> list[Occurrence]:
        """The events to report; none if they were reported already."""
        if occurrence.session_id is None:
            return [occurrence, *self._gone(occurrence)]
        news = self._news(occurrence.session_id, occurrence)
        return [] if news is None else [news]

    def _gone(self, beginning: Occurrence) -> list[Occurrence]:
        gone = [] if beginning.present is None else [name for name in self._known if name not in beginning.present]
        for session in gone:
            del self._known[session]
        data: dict[str, JsonValue] = {"reason": EndReason.SHUTDOWN.value}
        return [Occurrence(EventKind.SESSION_ENDED, beginning.moment, session, data) for session in gone]

    def _news(self, session: str, occurrence: Occurrence) -> Occurrence | None:
        kind = occurrence.kind
        if kind is EventKind.SESSION_ENDED:
            self._known.pop(session, None)
            return occurrence
        known = self._known.get(session)
        if known is None:
            self._known[session] = _Known(kind, kind is EventKind.FIRST_FRAME)
            return occurrence
        if kind is EventKind.SESSION_STARTED:
            return None
        if kind is EventKind.FIRST_FRAME:
            again, known.framed = known.framed, True
            known.phase = EventKind.SESSION_RESUMED if again else kind
            return replace(occurrence, kind=known.phase, data={}) if again else occurrence
        if kind is known.phase:
            return None
        known.phase = kind
        return occurrence
