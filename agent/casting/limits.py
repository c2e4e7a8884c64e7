"""The limits of an attempt: what it may play, and how long it may keep people waiting."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from agent.errors import FileAwayError, InvalidRequestError, MediaError
from agent.types import ErrorCode

KNOWN_S: Final = 0.5
"""The longest wait of an attempt that already knows an address: a central API answers within 50 ms, and one that is
down must not delay a picture."""

Check = Callable[[str], Awaitable[str]]
"""Returns the URL to play, or raises InvalidRequestError; FileAwayError where it may be played another time."""


async def any_url(url: str) -> str:
    """A check that allows everything."""
    return url


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits on how long a stream may keep people waiting, in seconds."""

    start_timeout: float
    """Seconds to the first frame."""
    stall_timeout: float
    """Without anything that advances."""


async def require_playable(check: Check, url: str) -> None:
    """Check an address that is about to be played. Raises MediaError if it may not be, or its file is not there."""
    try:
        await check(url)
    except FileAwayError as e:
        raise MediaError(ErrorCode.MEDIA_NOT_FOUND, str(e)) from e
    except InvalidRequestError as e:
        raise MediaError(ErrorCode.MEDIA_FORBIDDEN, str(e)) from e
