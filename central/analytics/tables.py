"""The table of what boxes have shown of videos."""

from __future__ import annotations

import datetime

from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column

from central.core.db.base import ID, NUMBER, Base


class VideoViews(Base):
    """What one box has shown of one video on one day. It outlives the video, so nothing refers to one."""

    __tablename__ = "video_views"

    video_id: Mapped[str] = mapped_column(ID, primary_key=True)
    day: Mapped[datetime.date] = mapped_column(primary_key=True)
    """In UTC: on which the sessions ended."""
    device_id: Mapped[str] = mapped_column(ID, primary_key=True)
    views: Mapped[int] = mapped_column(NUMBER)
    """Sessions that had a first picture."""
    completed: Mapped[int] = mapped_column(NUMBER)
    """Those of them that reached the end of the video."""
    seconds: Mapped[float]
    """For which they were playing."""

    __table_args__ = (Index(None, "day"),)
