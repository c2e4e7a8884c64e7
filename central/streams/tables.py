"""The table of streams."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from central.core.db.base import ID, NAME, WORD, Base

_ACTIVE = text("status = 'active'")
_AWAY = text("grace_until IS NOT NULL")


class Stream(Base):
    """A stream, active or ended: on a box, or published through MediaMTX."""

    __tablename__ = "streams"

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    code: Mapped[str] = mapped_column(String(16))
    source: Mapped[str] = mapped_column(WORD)
    device_id: Mapped[str | None] = mapped_column(ID, ForeignKey("devices.id", ondelete="SET NULL"), index=True)
    stream_key_id: Mapped[str | None] = mapped_column(ID, ForeignKey("stream_keys.id", ondelete="SET NULL"), index=True)
    path: Mapped[str | None] = mapped_column(Text)
    connection_id: Mapped[str | None] = mapped_column(String(64))
    """The connection of the publisher, as MediaMTX names it; with `connection_type` it can be disconnected. None while
    it is away."""
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
    """The reason why it ended. While its publisher is away: the reason why it will have ended unless the publisher
    comes back."""
    meta: Mapped[dict[str, Any]] = mapped_column("metadata")

    __table_args__ = (
        *(
            Index(f"uq_streams_{column}_active", column, unique=True, sqlite_where=_ACTIVE, postgresql_where=_ACTIVE)
            for column in ("code", "device_id", "stream_key_id", "path")
        ),
        Index("ix_streams_grace_until", "grace_until", sqlite_where=_AWAY, postgresql_where=_AWAY),
    )
