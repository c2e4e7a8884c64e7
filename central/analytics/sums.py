"""The sums that answers are made of, as the cache keeps them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import structlog
from pydantic import TypeAdapter, ValidationError
from pydantic_core import to_json

from central.analytics.repository import OfBox, OfDay, OfVideo

ALL: Final = "all"
"""The topic of the views of all videos. Those of one video have its id."""

_KEPT: Final[TypeAdapter[Any]] = TypeAdapter(tuple[list[OfDay], list[OfBox] | list[OfVideo]])

log = structlog.stdlib.get_logger(__name__)


class Sums(NamedTuple):
    """The views of some days, with the boxes or the videos of a page and one more, if there is one."""

    by_day: list[OfDay]
    page: Sequence[Any]


def to_bytes(sums: Sums) -> bytes:
    return to_json(sums)


def from_bytes(value: bytes | None) -> Sums | None:
    """The sums; None if there are none, or somebody else has written them."""
    if value is None:
        return None
    try:
        return Sums(*_KEPT.validate_json(value))
    except ValidationError:
        log.warning("cached_answer_rejected", hint="Something else uses the names of cache.prefix in Redis.")
        return None
