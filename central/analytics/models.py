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
"""In UTC, as in ISO 8601."""


class StatsQuery(PageQuery):
    from_: Day | None = Field(default=None, alias="from")
    """The first day; 30 days up to `to` without it."""
    to: Day | None = None
    """The last day; today without it."""
    format: Literal["json", "csv"] = "json"
    """As CSV all lines come at once, whatever `limit` and `cursor` are."""


class Shown(Answer):
    """What was shown, in sum."""

    views: int
    """Sessions that had a first picture and have ended."""
    completed: int
    """Those of them that reached the end of the video."""
    seconds: float
    """For which it was playing."""


class ShownOnDay(Shown):
    day: date


class ShownByBox(Shown):
    device_id: str


class ShownOfVideo(Shown):
    video_id: str
    title: str | None
    """The last that it had; null when it is not known any more."""


class VideoStats(Answer):
    """What boxes have shown of one video."""

    model_config = ConfigDict(serialize_by_alias=True)

    video_id: str
    title: str
    """The last that it had, if the video is deleted."""
    from_: date = Field(serialization_alias="from")
    to: date
    total: Shown
    by_day: list[ShownOnDay]
    """The days on which something was shown, the oldest first."""
    by_box: list[ShownByBox]
    """In the order of their ids; a page of them."""
    next_cursor: str | None


class Analytics(Answer):
    """What boxes have shown of all videos."""

    model_config = ConfigDict(serialize_by_alias=True)

    from_: date = Field(serialization_alias="from")
    to: date
    total: Shown
    by_day: list[ShownOnDay]
    """The days on which something was shown, the oldest first."""
    videos: list[ShownOfVideo]
    """The most viewed first; a page of them."""
    next_cursor: str | None
