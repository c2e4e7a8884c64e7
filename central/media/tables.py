"""The tables of those who publish."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from central.core.db.base import DIGEST, ID, NAME, WORD, Base


class Broadcaster(Base):
    """A publisher."""

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
    title: Mapped[str | None] = mapped_column(NAME)
    """The title of its streams, if it is the key of a live stream; None: they are titled by the broadcaster."""
    record: Mapped[bool] = mapped_column(default=False)
    """MediaMTX records what is published with it, and the library takes the recordings."""
    owner_id: Mapped[str | None] = mapped_column(ID)
    """The admin key that made the live stream: the recordings count for its quota. None if it was made with the secret
    of the API."""
    owner_name: Mapped[str | None] = mapped_column(NAME)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime | None]
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    last_used: Mapped[datetime | None]


class Claim(Base):
    """The connection that holds a stream key, and the path that it publishes to. There is at most one for each key and
    each path."""

    __tablename__ = "claims"

    stream_key_id: Mapped[str] = mapped_column(ID, ForeignKey("stream_keys.id", ondelete="CASCADE"), primary_key=True)
    connection_id: Mapped[str] = mapped_column(String(64), index=True)
    """Empty: nobody's; the path is kept for the key until the lease is over."""
    path: Mapped[str] = mapped_column(Text, unique=True)
    protocol: Mapped[str] = mapped_column(WORD)
    claimed_at: Mapped[datetime]
    leased_until: Mapped[datetime | None]
    """The time from which others may take it; None: never while its stream is on."""
