"""The events of the box, before and after they have a place in the outbox."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from pydantic import JsonValue
from uuid_utils import uuid7

from agent.events.timestamp import Timestamp
from cast_wire.kinds import EventKind
from cast_wire.storable import storable

URL_LIMIT: Final = 2048
TITLE_LIMIT: Final = 200
MESSAGE_LIMIT: Final = 300
"""Characters. An event with the longest texts, all of characters of four bytes, stays below EVENT_DATA_LIMIT; a state
with nine sessions below STATE_LIMIT."""


@dataclass(frozen=True, slots=True)
class Occurrence:
    """An event as it was observed. The outbox decides whether it is new."""

    kind: EventKind
    moment: Timestamp
    session_id: str | None = None
    data: dict[str, JsonValue] = field(default_factory=dict)
    present: tuple[str, ...] | None = None
    """The sessions that exist at the start of the agent; None for other events. A session that existed before and is
    not among them has ended."""


@dataclass(frozen=True, slots=True)
class Run:
    """This run of the agent."""

    boot_id: str
    """Made anew by each run."""
    agent_version: str


def error_of(code: str, message: str) -> dict[str, JsonValue]:
    """The error in the form of the wire."""
    return {"code": code, "message": message[:MESSAGE_LIMIT]}


def event_of(occurrence: Occurrence, run: Run, seq: int) -> dict[str, JsonValue]:
    """The event without its `device_id`, which the sender adds."""
    moment = occurrence.moment
    return {
        "boot_id": run.boot_id,
        "seq": seq,
        "occurred_at": moment.utc.isoformat(),
        "uptime": round(moment.uptime, 3),
        "clock_synced": moment.synced,
        "agent_version": run.agent_version,
        "event_id": str(uuid7()),
        "kind": occurrence.kind.value,
        "session_id": occurrence.session_id,
        "data": storable(occurrence.data),
    }
