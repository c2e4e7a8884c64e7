"""Models of boxes and their events."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field, JsonValue

from cast_wire import models as wire
from central.core.fields import Metadata, Name
from central.core.models import Answer, PageQuery, Patch


class DevicesQuery(PageQuery):
    online: bool | None = None


class EventsQuery(PageQuery):
    kind: Annotated[str, Field(max_length=64)] | None = None
    session_id: Annotated[str, Field(max_length=64)] | None = None


class DeviceBody(wire.Enrolment):
    """A box that wants to come in."""

    name: Name
    metadata: Metadata = Field(default_factory=dict)


class DevicePatch(Patch):
    name: Name = Field(default="")
    metadata: Metadata = Field(default_factory=dict)


class OnScreen(Answer):
    """A summary of what a box shows."""

    session_id: str
    title: str | None
    url: str
    state: str


class Device(Answer):
    id: str
    name: str
    online: bool
    last_seen: datetime | None
    created_at: datetime
    updated_at: datetime = Field(description="When its name or metadata were changed last, or it was revoked.")
    agent_version: str | None
    status: Literal["idle", "casting"] | None = Field(description="As the box said last; null: it has not yet.")
    on: OnScreen | None
    stream_id: str | None
    code: str | None = Field(description="The join code of its stream that is on.")
    metadata: dict[str, JsonValue]


class DeviceDetail(Device):
    state: dict[str, JsonValue] | None = Field(description="The last state that the box has sent.")
    state_received_at: datetime | None


class Devices(Answer):
    items: list[Device]
    next_cursor: str | None


class Event(Answer):
    event_id: str
    kind: str
    session_id: str | None
    boot_id: str
    seq: int
    occurred_at: datetime
    received_at: datetime
    uptime: float
    clock_synced: bool
    agent_version: str
    data: dict[str, JsonValue]


class Events(Answer):
    items: list[Event]
    next_cursor: str | None
