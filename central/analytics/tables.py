"""The table of views of videos."""

from __future__ import annotations

import datetime

from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column

from central.core.db.base import ID, NUMBER, Base


class VideoViews(Base):
    """The views of one video on one box and one day. The row outlives the video, so it has no foreign key."""

    __tablename__ = "video_views"

    video_id: Mapped[str] = mapped_column(ID, primary_key=True)
    day: Mapped[datetime.date] = mapped_column(primary_key=True)
    """The day in UTC on which the sessions ended."""
    device_id: Mapped[str] = mapped_column(ID, primary_key=True)
    views: Mapped[int] = mapped_column(NUMBER)
    """The sessions that had a first frame."""
    completed: Mapped[int] = mapped_column(NUMBER)
    """The sessions that also reached the end of the video."""
    seconds: Mapped[float]
    """The seconds for which they were playing."""

    __table_args__ = (
        Index(None, "day"),
        # All columns: the rows of a video came in day by day, so they are all over the table, and together here.
        Index("ix_video_views_all", "video_id", "day", "device_id", "views", "completed", "seconds"),
    )
