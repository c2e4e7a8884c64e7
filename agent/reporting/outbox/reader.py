"""The readers of the outbox, which pass events on, and the batches that they are handed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import JsonValue

from cast_wire.kinds import EventKind


@dataclass(frozen=True, slots=True)
class Reader:
    """A recipient that passes events on."""

    identity: str | None
    """The recipient. A new recipient gets only events that happen from now on. None: the recipient is the one before,
    as long as nobody can say who it is."""
    kinds: frozenset[EventKind] | None = None
    """The kinds of events for this reader; None for all."""

    def wants(self, kind: EventKind | None) -> bool:
        """None: an event of which nobody knows what it was."""
        return self.kinds is None or kind is None or kind in self.kinds


@dataclass(frozen=True, slots=True)
class Batch:
    """The next events for a reader, in order."""

    reader: str
    events: tuple[dict[str, JsonValue], ...] = ()
    positions: tuple[int, ...] = ()
    generation: int = 0
    """The generation of the file: events that were read from one that has been set aside since cannot be settled any
    more."""


@dataclass(frozen=True, slots=True)
class OutboxStatus:
    """The state of the outbox."""

    queued: Mapping[str, int] = field(default_factory=dict)
    """The number of events that each reader has not passed on yet."""
    dropped: Mapping[str, int] = field(default_factory=dict)
    """The number of events that each reader will never get, as long as it has its place here."""
    problem: str | None = None
