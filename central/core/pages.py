"""Pages of lists: at most so many things, and where to go on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Generic, TypeVar

from central.core.ids import bad_cursor, from_cursor, is_id, to_cursor

PAGE_LIMIT: Final = 200
PAGE_DEFAULT: Final = 50

Thing = TypeVar("Thing")
Clock = Callable[[], datetime]


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Page(Generic[Thing]):
    """Some things of a list; `next_cursor` is None with the last ones."""

    items: Sequence[Thing]
    next_cursor: str | None = None


def page_of(things: Sequence[Thing], limit: int, position: Callable[[Thing], str]) -> Page[Thing]:
    """A page of `limit` things out of one more than that, which tells that there are more."""
    if len(things) <= limit:
        return Page(things)
    return Page(things[:limit], to_cursor(position(things[limit - 1])))


def id_behind(cursor: str | None) -> str | None:
    """The id after which the page begins. Raises InvalidRequestError."""
    position = from_cursor(cursor)
    if position is not None and not is_id(position):
        raise bad_cursor()
    return position
