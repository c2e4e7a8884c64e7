"""Models of the statistics of videos."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, ConfigDict, Field

from central.core.models import Answer, PageQuery

_DAY: Final = "must be a day, such as 2026-11-21"


def _day(text: str) -> str:
    try:
        date.fromisoformat(text)
    except ValueError as error:
        raise ValueError(_DAY) from error
    return text


Day = Annotated[str, Field(min_length=10, max_length=10), AfterValidator(_day)]
"""A day in UTC, in the form of ISO 8601."""


class StatsQuery(PageQuery):
    from_: Day | None = Field(default=None, alias="from")
    """The first day; if left out, 29 days before `to`."""
    to: Day | None = None
    """The last day; if left out, today."""
    format: Literal["json", "csv"] = "json"
    """CSV has all lines in one answer, whatever `limit` and `cursor` are."""


class Shown(Answer):
    """The sums of some views."""

    views: int
    """The sessions that had a first frame and have ended."""
    completed: int
    """The sessions that also reached the end of the video."""
    seconds: float
    """The seconds for which they were playing."""


class ShownOnDay(Shown):
    day: date


class ShownByBox(Shown):
    device_id: str


class ShownOfVideo(Shown):
    video_id: str
    title: str | None
    """The last title of the video; null if it is not known any more."""


class VideoStats(Answer):
    """The views of one video."""

    model_config = ConfigDict(serialize_by_alias=True)

    video_id: str
    title: str
    """The title of the video; the last one if it was deleted."""
    from_: date = Field(serialization_alias="from")
    to: date
    total: Shown
    by_day: list[ShownOnDay]
    """The days that have views, the oldest first."""
    by_box: list[ShownByBox]
    """A page of the boxes, in the order of their ids."""
    next_cursor: str | None


class Analytics(Answer):
    """The views of all videos."""

    model_config = ConfigDict(serialize_by_alias=True)

    from_: date = Field(serialization_alias="from")
    to: date
    total: Shown
    by_day: list[ShownOnDay]
    """The days that have views, the oldest first."""
    videos: list[ShownOfVideo]
    """A page of the videos, the most viewed first."""
    next_cursor: str | None
