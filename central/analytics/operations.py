"""The calls about the views of videos."""

from __future__ import annotations

from typing import Final

from central.analytics import calls, models
from central.core.operations import Access, Operation

OPERATIONS: Final[tuple[Operation, ...]] = (
    Operation(
        "GET", "/api/v1/videos/{id}/stats", calls.get_video_stats, Access.ADMIN,
        "The views of a video, by day and by box.",
        {200: models.VideoStats}, (404,), query=models.StatsQuery, other_type="text/csv",
    ),
    Operation(
        "DELETE", "/api/v1/videos/{id}/stats", calls.reset_video_stats, Access.ADMIN,
        "Delete the counts of a video; the log says who did.",
        {204: None}, (404,),
    ),
    Operation(
        "GET", "/api/v1/analytics", calls.get_analytics, Access.ADMIN,
        "The views of all videos, by day and by video.",
        {200: models.Analytics}, query=models.StatsQuery, other_type="text/csv",
    ),
)  # fmt: skip
