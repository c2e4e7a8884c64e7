"""The words about live streams."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from central.core.ids import is_id

FOLDER: Final = "live"
"""The paths of live streams in MediaMTX are in it, each with the id of its live stream."""


def is_live(path: str) -> bool:
    """Return True if this is the path of a live stream, and not one that somebody else named."""
    folder, _, name = path.partition("/")
    return folder == FOLDER and is_id(name)


class LiveState(StrEnum):
    """The state of a live stream."""

    WAITING = "waiting"
    """Its publisher may come."""
    LIVE = "live"
    """It can be viewed; while its publisher is away for a moment, viewers wait for it."""
    ENDED = "ended"
    """Its key is revoked or has expired: it cannot be published any more."""
