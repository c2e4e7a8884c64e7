"""Events that a box sends: which of them can be kept, and what is wrong with the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Protocol

from pydantic import BaseModel, ValidationError
from pydantic_core import to_json
from sqlalchemy.ext.asyncio import AsyncSession

from cast_wire import models as wire
from cast_wire.storable import flaw_of
from central.core.errors import FieldError, InvalidRequestError
from central.core.wording import sentence_of, wrong_fields

EVENT_BYTES: Final = 512
"""Bytes of an event on the disk besides its data, with its places in the indexes."""


class Counter(Protocol):
    """Counts what events tell, each of them once."""

    async def count(self, session: AsyncSession, events: Sequence[wire.Event], now: datetime) -> None:
        """Count these, at that moment, within the unit of work that keeps them."""

    async def counted(self, events: Sequence[wire.Event]) -> None:
        """That unit of work is done."""


def is_its_own(device_id: str, envelope: wire.Envelope) -> None:
    if envelope.device_id != device_id:
        raise InvalidRequestError.of("device_id", "must be the id of the device that the address names")


def size_of(plain: object) -> int:
    """Bytes of JSON."""
    return len(to_json(plain))


@dataclass(frozen=True, slots=True)
class Good:
    """An event that can be kept, and how many bytes that takes."""

    event: wire.Event
    size: int


def read_event(item: Any, device_id: str) -> Good | wire.EventResult:
    """The event, or the answer that says what is wrong with it."""
    event_id = item.get("event_id") if isinstance(item, dict) else None
    try:
        event = wire.Event.model_validate(item)
        is_its_own(device_id, event)
        if (model := wire.EVENT_DATA.get(event.kind)) is not None:
            _check(model, event.data)
        if event.kind in wire.SESSION_KINDS and event.session_id is None:
            raise InvalidRequestError.of("session_id", f"is required for {event.kind}")
        size = size_of(event.data)
        if size > wire.EVENT_DATA_LIMIT:
            raise InvalidRequestError.of("data", f"must be at most {wire.EVENT_DATA_LIMIT} bytes of JSON")
    except ValidationError as error:
        wrong = wrong_fields(error, ())[0]
        message = sentence_of([FieldError(wrong.field or "the event", wrong.message)])
    except InvalidRequestError as error:
        message = str(error)
    else:
        return Good(event, EVENT_BYTES + size)
    known = event_id if isinstance(event_id, str) and len(event_id) <= 64 and not flaw_of(event_id) else None
    error_info = wire.ErrorInfo(code="invalid_event", message=message[:500])
    return wire.EventResult(event_id=known, status=wire.EventStatus.REJECTED, error=error_info)


def _check(model: type[BaseModel], data: dict[str, Any]) -> None:
    try:
        model.model_validate(data)
    except ValidationError as error:
        raise InvalidRequestError(f"data.{sentence_of(wrong_fields(error, ())[:1])}") from error


def row_of(device_id: str, event: wire.Event, now: datetime) -> dict[str, Any]:
    return {
        "device_id": device_id,
        "event_id": event.event_id,
        "kind": event.kind,
        "session_id": event.session_id,
        "boot_id": event.boot_id,
        "seq": event.seq,
        "occurred_at": event.occurred_at,
        "received_at": now,
        "uptime": event.uptime,
        "clock_synced": event.clock_synced,
        "agent_version": event.agent_version,
        "data": event.data,
    }
