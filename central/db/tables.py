"""The tables. A change here needs a migration in `migrations/versions`; a test compares the two."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import JSON, BigInteger, DateTime, ForeignKey, Index, Integer, MetaData, String, Text, text
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator

ID: Final = String(36)
DIGEST: Final = String(64)
WORD: Final = String(32)
"""One of our own words, such as a status."""
NAME: Final = String(200)
NUMBER: Final = BigInteger().with_variant(Integer, "sqlite")
"""SQLite counts by itself only in a column that is an INTEGER."""

_ACTIVE = text("status = 'active'")
_AWAY = text("grace_until IS NOT NULL")


class Moment(TypeDecorator[datetime]):
    """A point in time, in UTC; SQLite knows no time zones, so it gets none."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return value if value is None or dialect.name != "sqlite" else value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)


class Base(DeclarativeBase):
    """Constraints have names, so that migrations can change them on both databases."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {datetime: Moment, dict[str, Any]: JSON}  # noqa: RUF012  # SQLAlchemy's own way


class AdminKey(Base):
    """Lets a person or a program do everything."""

    __tablename__ = "admin_keys"

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    name: Mapped[str] = mapped_column(NAME)
    key_hash: Mapped[str] = mapped_column(DIGEST, unique=True)
    created_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]

    __table_args__ = (
        # A name is free again once its key is revoked.
        Index(
            "uq_admin_keys_name_active",
            "name",
            unique=True,
            sqlite_where=text("revoked_at IS NULL"),
            postgresql_where=text("revoked_at IS NULL"),
        ),
    )


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
    """In the order of arrival; of one box that is the order of happening."""
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


class Broadcaster(Base):
    """Somebody who publishes."""

    __tablename__ = "broadcasters"

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    name: Mapped[str] = mapped_column(NAME, unique=True)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime | None]
    meta: Mapped[dict[str, Any]] = mapped_column("metadata")


class StreamKey(Base):
    """Lets one publisher at a time publish."""

    __tablename__ = "stream_keys"

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    broadcaster_id: Mapped[str] = mapped_column(ID, ForeignKey("broadcasters.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(NAME)
    key_hash: Mapped[str] = mapped_column(DIGEST, unique=True)
    path: Mapped[str | None] = mapped_column(Text)
    """The only one that may be published to; None: any that is free."""
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime | None]
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    last_used: Mapped[datetime | None]


class Claim(Base):
    """Which connection holds a stream key, and the path it publishes to. One at most for each of both."""

    __tablename__ = "claims"

    stream_key_id: Mapped[str] = mapped_column(ID, ForeignKey("stream_keys.id", ondelete="CASCADE"), primary_key=True)
    connection_id: Mapped[str] = mapped_column(String(64), index=True)
    """Empty: nobody's; the path is kept for the key until the lease is over."""
    path: Mapped[str] = mapped_column(Text, unique=True)
    protocol: Mapped[str] = mapped_column(WORD)
    claimed_at: Mapped[datetime]
    leased_until: Mapped[datetime | None]
    """When others may take it; None: as long as its stream is on."""


class Stream(Base):
    """What is or was on: on a box, or published through MediaMTX."""

    __tablename__ = "streams"

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    code: Mapped[str] = mapped_column(String(16))
    source: Mapped[str] = mapped_column(WORD)
    device_id: Mapped[str | None] = mapped_column(ID, ForeignKey("devices.id", ondelete="SET NULL"), index=True)
    stream_key_id: Mapped[str | None] = mapped_column(ID, ForeignKey("stream_keys.id", ondelete="SET NULL"), index=True)
    path: Mapped[str | None] = mapped_column(Text)
    connection_id: Mapped[str | None] = mapped_column(String(64))
    """Of the publisher, as MediaMTX names it; with `connection_type` it can be kicked. None while it is away."""
    connection_type: Mapped[str | None] = mapped_column(WORD)
    title: Mapped[str | None] = mapped_column(NAME)
    url: Mapped[str | None] = mapped_column(Text)
    quality: Mapped[str | None] = mapped_column(WORD)
    status: Mapped[str] = mapped_column(WORD)
    started_at: Mapped[datetime]
    updated_at: Mapped[datetime | None]
    interrupted_at: Mapped[datetime | None]
    """Its publisher has been away since then, and may come back until `grace_until`."""
    grace_until: Mapped[datetime | None]
    ended_at: Mapped[datetime | None] = mapped_column(index=True)
    end_reason: Mapped[str | None] = mapped_column(WORD)
    """While its publisher is away: the reason for which it will have ended unless the publisher comes back."""
    meta: Mapped[dict[str, Any]] = mapped_column("metadata")

    __table_args__ = (
        *(
            Index(f"uq_streams_{column}_active", column, unique=True, sqlite_where=_ACTIVE, postgresql_where=_ACTIVE)
            for column in ("code", "device_id", "stream_key_id", "path")
        ),
        Index("ix_streams_grace_until", "grace_until", sqlite_where=_AWAY, postgresql_where=_AWAY),
    )
