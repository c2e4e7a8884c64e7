"""The sums that answers are made of, as the cache keeps them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import orjson
import structlog
from pydantic import TypeAdapter, ValidationError

from central.analytics.repository import Counts, OfBox, OfDay, OfVideo, VideoCounts
from central.core.pages import page_of

ALL: Final = "all"
"""The topic of the views of all videos. Those of one video have its id."""

_KEPT: Final[TypeAdapter[Any]] = TypeAdapter(tuple[Counts, list[OfDay], list[OfBox] | list[OfVideo], str | None])

log = structlog.stdlib.get_logger(__name__)


class Sums(NamedTuple):
    """The views of some days, with a page of boxes or of videos."""

    total: Counts | orjson.Fragment
    by_day: Sequence[OfDay] | orjson.Fragment
    items: Sequence[Any] | orjson.Fragment
    next_cursor: str | None


def of_video(counts: VideoCounts, *, limit: int) -> Sums:
    """The sums of one video. `counts` have a box more than `limit`, if there is one."""
    page = page_of(counts.by_box, limit, lambda box: str(orjson.loads(box)["device_id"]))
    return Sums(orjson.Fragment(counts.total), _array(counts.by_day), _array(page.items), page.next_cursor)


def of_all(by_day: Sequence[OfDay], videos: Sequence[OfVideo], *, limit: int) -> Sums:
    """The sums of all videos. `videos` has one more than `limit`, if there is one."""
    page = page_of(videos, limit, lambda video: f"{video['views']} {video['video_id']}")
    total: Counts = {
        "views": sum(day["views"] for day in by_day),
        "completed": sum(day["completed"] for day in by_day),
        "seconds": round(sum(day["seconds"] for day in by_day), 3),
    }
    return Sums(total, by_day, page.items, page.next_cursor)


def to_bytes(sums: Sums) -> bytes:
    return orjson.dumps(tuple(sums))


def from_bytes(value: bytes | None) -> Sums | None:
    """The sums; None if there are none, or somebody else has written them."""
    if value is None:
        return None
    try:
        return Sums(*_KEPT.validate_json(value))
    except ValidationError:
        log.warning("cached_answer_rejected", hint="Something else uses the names of cache.prefix in Redis.")
        return None


def _array(texts: Sequence[str]) -> orjson.Fragment:
    return orjson.Fragment(f"[{','.join(texts)}]")
