"""The request of a caller, and the rules on which of its fields go together."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, fields, replace
from typing import Any, Final, Protocol

from agent.errors import FieldError, InvalidRequestError
from agent.page_options import PageOptions
from agent.types import Quality, ShownAs

WHAT: Final = ("url", "code", "stream_id", "video_id")
"""The fields that say what to play."""

STORED: Final = ("preset", "recent")
"""The fields that name something kept on this box, whose fields count where a wish has none."""

SPOKEN: Final = {"shown_as": "as"}
"""Fields that callers know by a name that Python has taken."""

_NO_PAGES: Final = (
    *(("code", "as"), ("stream_id", "as"), ("video_id", "as")),
    *(("as", "quality"), ("as", "position")),
)
"""A stream or a video of the central API is no page, and a page has neither renditions nor a position."""

NO_PAGE: Final = FieldError("page", "is for web pages: add as with the value page, or leave page out")

FIXED: Final = (*WHAT[1:], *STORED, "quality", "position", "loop", "refresh", "interrupt", "as", "page")
"""The fields that a session keeps for its life."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """The request of a caller: one of `url`, `code`, `stream_id` and `video_id`, or of `preset` and `recent`, for a new
    session, or `session_id` for a change of that one. None stands for a field that the caller leaves out. The values
    are within the ranges of StartRequest."""

    url: str | None = None
    code: str | None = None
    """The join code of a stream of the central API."""
    stream_id: str | None = None
    video_id: str | None = None
    """The id of a video in the library of the central API."""
    preset: str | None = None
    recent: str | None = None
    """The id of something that was played before."""
    session_id: str | None = None
    quality: Quality | None = None
    """None: as configured."""
    duration: float | None = None
    """Seconds from the first frame; in a change, from now."""
    title: str | None = None
    volume: float | None = None
    """0.0-1.0; None: the volume of the device, in a change as it was."""
    muted: bool | None = None
    interrupt: bool | None = None
    position: float | None = None
    """Seconds."""
    loop: bool | None = None
    refresh: float | None = None
    """Seconds after which a still picture is fetched again, or a page is reloaded."""
    shown_as: ShownAs | None = None
    """`as` to callers."""
    page: PageOptions | None = None


class Policy(Protocol):
    """The rules on what may be played."""

    async def check(self, url: str) -> str:
        """The URL to play; waits for nothing but a file. Raises InvalidRequestError with the field `url`."""


async def check_page(policy: Policy, wish: Wish) -> None:
    """Check what a wish says of a page: its address, which may not be played for all that, and those of the pages that
    follow. Raises InvalidRequestError with the field, such as `page.then.0.url`."""
    if wish.page is not None and wish.shown_as is not ShownAs.PAGE:
        raise InvalidRequestError(f"{NO_PAGE.field} {NO_PAGE.message}.", (NO_PAGE,))
    if wish.shown_as is ShownAs.PAGE and wish.url is not None and not _may_be_page(wish.url):
        message = "must begin with http:// or https:// where as is page, such as http://panel.lan:3000/wall"
        raise InvalidRequestError(f"url {message}.", (FieldError("url", message),))
    for number, turn in enumerate(wish.page.then if wish.page else ()):
        try:
            await policy.check(turn.url)
        except InvalidRequestError as error:
            raise InvalidRequestError(str(error), (FieldError(f"page.then.{number}.url", str(error)),)) from error


def wrong_together(given: Collection[str]) -> list[FieldError]:
    """The mistakes in the combination of these fields. A wish without them may still name nothing to play."""
    if "session_id" in given:
        message = "cannot be changed: leave it out, or leave out session_id to start a new session"
        return [FieldError(name, message) for name in FIXED if name in given]
    groups = ([name for name in group if name in given] for group in (WHAT, STORED, *_NO_PAGES))
    wrong = [FieldError(name, f"cannot be given together with {group[0]}") for group in groups for name in group[1:]]
    is_no_page = "page" in given and {"as", *STORED}.isdisjoint(given)
    return [*wrong, NO_PAGE] if is_no_page else wrong


def names_something(given: Collection[str]) -> bool:
    """Return True if these fields of a wish name something to play, or the session to change."""
    return not {*WHAT, *STORED, "session_id"}.isdisjoint(given)


def check_together(wish: Wish) -> None:
    """Raise InvalidRequestError unless the wish names exactly one thing to play, or the session that it changes."""
    given = {SPOKEN.get(name, name) for name in _given(wish)}
    errors = wrong_together(given) or ([] if names_something(given) else [FieldError("url", "is required")])
    if errors:
        raise InvalidRequestError(f"{errors[0].field} {errors[0].message}.", tuple(errors))


def _may_be_page(url: str) -> bool:
    return url.strip().lower().startswith(("http://", "https://"))


def _given(wish: Wish) -> dict[str, Any]:
    return {field.name: value for field in fields(wish) if (value := getattr(wish, field.name)) is not None}


def over(stored: Wish, wish: Wish) -> Wish:
    """The stored wish, with the fields of this wish in place of its own. Where both are pages, that of this wish is
    shown as the stored one was."""
    given = {name: value for name, value in _given(wish).items() if name not in STORED}
    if not given.keys().isdisjoint(WHAT):
        shown_as = stored.shown_as if _may_be_page(wish.url or "") else None
        page = stored.page.alone() if shown_as and stored.page else None
        stored = replace(stored, **dict.fromkeys(WHAT), shown_as=shown_as, page=page)
    return replace(stored, **given)
