"""The tables of boxes: what lets them in, and what they said."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from central.core.db.base import DIGEST, ID, NAME, NUMBER, Base


class EnrolmentToken(Base):
    """Lets boxes register, a number of times until a moment."""

    __tablename__ = "enrolment_tokens"

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    token_hash: Mapped[str] = mapped_column(DIGEST, unique=True)
    uses_left: Mapped[int]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]


class Device(Base):
    """A box."""

    __tablename__ = "devices"

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    name: Mapped[str] = mapped_column(NAME)
    token_hash: Mapped[str] = mapped_column(DIGEST, unique=True)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    last_seen: Mapped[datetime | None]
    online_until: Mapped[datetime | None]
    """Three heartbeats after it was heard of."""
    agent_version: Mapped[str | None] = mapped_column(String(64))
    meta: Mapped[dict[str, Any]] = mapped_column("metadata")
    decodes: Mapped[str | None] = mapped_column(Text)
    """The codecs that its engines decode, as it told last, sorted, with blanks between them; None: it never did."""


class DeviceBoot(Base):
    """The runs of a box's agent in the order in which they were first heard of: a later one has a greater number."""

    __tablename__ = "device_boots"

    number: Mapped[int] = mapped_column(NUMBER, primary_key=True, autoincrement=True)
    device_id: Mapped[str] = mapped_column(ID, ForeignKey("devices.id", ondelete="CASCADE"))
    boot_id: Mapped[str] = mapped_column(ID)
    first_seen: Mapped[datetime]

    __table_args__ = (
        Index("uq_device_boots_device_id_boot_id", "device_id", "boot_id", unique=True),
        {"sqlite_autoincrement": True},  # or SQLite would give the number of a deleted row away again
    )


class DeviceState(Base):
    """The latest that a box has said about itself."""

    __tablename__ = "device_states"

    device_id: Mapped[str] = mapped_column(ID, ForeignKey("devices.id", ondelete="CASCADE"), primary_key=True)
    boot_number: Mapped[int] = mapped_column(BigInteger)
    seq: Mapped[int] = mapped_column(BigInteger)
    received_at: Mapped[datetime]
    state: Mapped[dict[str, Any]]


class Event(Base):
    """Something that happened on a box."""

    __tablename__ = "events"

    number: Mapped[int] = mapped_column(NUMBER, primary_key=True, autoincrement=True)
    """The number in the order of arrival; of one box that is the order of happening."""
    device_id: Mapped[str] = mapped_column(ID, ForeignKey("devices.id", ondelete="CASCADE"))
    event_id: Mapped[str] = mapped_column(ID)
    kind: Mapped[str] = mapped_column(String(64))
    session_id: Mapped[str | None] = mapped_column(String(64))
    boot_id: Mapped[str] = mapped_column(ID)
    seq: Mapped[int] = mapped_column(BigInteger)
    occurred_at: Mapped[datetime]
    received_at: Mapped[datetime] = mapped_column(index=True)
    uptime: Mapped[float]
    clock_synced: Mapped[bool]
    agent_version: Mapped[str] = mapped_column(String(64))
    data: Mapped[dict[str, Any]]

    __table_args__ = (
        Index("uq_events_device_id_event_id", "device_id", "event_id", unique=True),
        Index("ix_events_device_id_number", "device_id", "number"),
        {"sqlite_autoincrement": True},
    )
