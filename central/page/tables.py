"""The table of log-ins to the page."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column

from central.core.db.base import DIGEST, Base


class PageSession(Base):
    """Lets one browser in as the key that was typed there, for as long as that key is valid."""

    __tablename__ = "page_sessions"

    token_hash: Mapped[str] = mapped_column(DIGEST, primary_key=True)
    key_hash: Mapped[str] = mapped_column(DIGEST)
    """The hash of an admin key, of an upload key or of the secret of the API."""
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)

    __table_args__ = (Index(None, "key_hash", "created_at"),)
