"""The tables of videos, of what is made of them, and of the jobs that make it."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from central.core.db.base import DIGEST, ID, NAME, NUMBER, WORD, Base

_ACTIVE = text("state IN ('queued', 'running')")


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
    """The type at the reservation; a video that is ready is of that type."""
    size: Mapped[int] = mapped_column(NUMBER)
    """Bytes, as they were reserved; a video that is ready has as many."""
    sha256: Mapped[str | None] = mapped_column(DIGEST)
    """The checksum at the reservation, if there was one; of a video that is ready, that of its bytes."""
    state: Mapped[str] = mapped_column(WORD)
    problem: Mapped[str | None] = mapped_column(Text)
    duration: Mapped[float | None]
    """Seconds; None for a picture."""
    width: Mapped[int | None]
    height: Mapped[int | None]
    video_codec: Mapped[str | None] = mapped_column(WORD)
    audio_codec: Mapped[str | None] = mapped_column(WORD)
    key_id: Mapped[str | None] = mapped_column(ID, ForeignKey("admin_keys.id"), index=True)
    """The key whose quota it counts for; None if it was made with the secret of the API, and counts for nobody."""
    made_by: Mapped[str] = mapped_column(NAME)
    """The name of that key."""
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]

    __table_args__ = (Index(None, "state", "updated_at"),)


class Rendition(Base):
    """A file that was made of a video: a picture, pictures, or a film that is easier to decode."""

    __tablename__ = "renditions"

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    """The id of the lease under which it was made; its file has this name."""
    video_id: Mapped[str] = mapped_column(ID, ForeignKey("videos.id", ondelete="CASCADE"))
    kind: Mapped[str] = mapped_column(WORD)
    size: Mapped[int] = mapped_column(NUMBER)
    """Bytes."""
    sha256: Mapped[str] = mapped_column(DIGEST)
    width: Mapped[int]
    height: Mapped[int]
    created_at: Mapped[datetime]

    __table_args__ = (UniqueConstraint("video_id", "kind"),)


class Job(Base):
    """Something that is to be made of a video. Whoever has the lease makes it; the result is taken from nobody else."""

    __tablename__ = "jobs"

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    video_id: Mapped[str] = mapped_column(ID, ForeignKey("videos.id", ondelete="CASCADE"), index=True)
    kind: Mapped[str] = mapped_column(WORD)
    state: Mapped[str] = mapped_column(WORD)
    priority: Mapped[int]
    """The highest is first; of the same the oldest."""
    tries: Mapped[int]
    """The number of times that it was begun."""
    progress: Mapped[float]
    """From 0 to 1."""
    lease_id: Mapped[str | None] = mapped_column(ID)
    """Another one each time that it is taken: who was late finds that it is not theirs any more."""
    lease_until: Mapped[datetime]
    """The time at which it may be taken: at once, after a pause, or when its worker has been silent for too long."""
    worker: Mapped[str | None] = mapped_column(NAME)
    """The worker that has it, or had it last."""
    problem: Mapped[str | None] = mapped_column(Text)
    """The reason why it failed, or the problem of the last try."""
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]

    __table_args__ = (
        Index(
            "uq_jobs_video_id_kind_active", "video_id", "kind",
            unique=True, sqlite_where=_ACTIVE, postgresql_where=_ACTIVE,
        ),
        Index("ix_jobs_priority_id_active", "priority", "id", sqlite_where=_ACTIVE, postgresql_where=_ACTIVE),
        Index(None, "state", "updated_at"),
    )  # fmt: skip


class DeletedVideo(Base):
    """The title of a deleted video, whose views stay and may still come in."""

    __tablename__ = "deleted_videos"

    id: Mapped[str] = mapped_column(ID, primary_key=True)
    title: Mapped[str] = mapped_column(NAME)
    deleted_at: Mapped[datetime]
