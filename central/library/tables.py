"""The table of videos."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, Text
from sqlalchemy.orm import Mapped, mapped_column

from central.core.db.base import DIGEST, ID, NAME, NUMBER, WORD, Base


class Video(Base):
    """One video, picture or sound, from its reservation on. Its bytes are in the folder of the library."""

    __tablename__ = "videos"

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    title: Mapped[str] = mapped_column(NAME)
    description: Mapped[str] = mapped_column(Text)
    tags: Mapped[str] = mapped_column(Text)
    """One in a line, with a line break before and behind each, so that a whole one can be looked for."""
    words: Mapped[str] = mapped_column(Text)
    """Title, description and tags in lower case, to be searched."""
    type: Mapped[str] = mapped_column(WORD)
    """As it was reserved; a video that is ready is of that type."""
    size: Mapped[int] = mapped_column(NUMBER)
    """Bytes, as they were reserved; a video that is ready has as many."""
    sha256: Mapped[str | None] = mapped_column(DIGEST)
    """As it was reserved, if it was; of a video that is ready, what was computed of its bytes."""
    state: Mapped[str] = mapped_column(WORD)
    problem: Mapped[str | None] = mapped_column(Text)
    duration: Mapped[float | None]
    """Seconds; None for a picture."""
    width: Mapped[int | None]
    height: Mapped[int | None]
    video_codec: Mapped[str | None] = mapped_column(WORD)
    audio_codec: Mapped[str | None] = mapped_column(WORD)
    key_id: Mapped[str | None] = mapped_column(ID, ForeignKey("admin_keys.id"), index=True)
    """Whose quota it counts for; None: nobody's, it was made with the secret of the API."""
    made_by: Mapped[str] = mapped_column(NAME)
    """The name of that key."""
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]

    __table_args__ = (Index(None, "state", "updated_at"),)
