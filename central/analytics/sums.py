"""The sums that answers are made of, as the cache keeps them."""

from __future__ import annotations

from datetime import date
from typing import Any, Final, NamedTuple

import structlog
from pydantic import TypeAdapter, ValidationError

from central.analytics.repository import Counts, CountsOf

ALL: Final = "all"
"""The topic of the views of all videos. Those of one video have its id."""

_KEPT: Final[TypeAdapter[Any]] = TypeAdapter(tuple[list[tuple[date, Counts]], list[tuple[str, Counts]]])

log = structlog.stdlib.get_logger(__name__)


class Sums(NamedTuple):
    """The views of some days, with the boxes or the videos of a page and one more, if there is one."""

    by_day: list[CountsOf]
    page: list[CountsOf]


def to_bytes(sums: Sums) -> bytes:
    return _KEPT.dump_json((sums.by_day, sums.page))


def from_bytes(value: bytes | None) -> Sums | None:
    """The sums; None if there are none, or somebody else has written them."""
    if value is None:
        return None
    try:
        by_day, page = _KEPT.validate_json(value)
    except ValidationError:
        log.warning("cached_answer_rejected", hint="Something else uses the names of cache.prefix in Redis.")
        return None
    return Sums([CountsOf(*each) for each in by_day], [CountsOf(*each) for each in page])
