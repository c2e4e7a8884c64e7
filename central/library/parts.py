"""The parts in which a video is uploaded: the same ones each time that somebody asks, on every instance."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from central.core.errors import TooLargeError

MEBIBYTE: Final = 1024 * 1024
LEAST: Final = 16 * MEBIBYTE
"""Bytes of a part of most videos: 13 s at 10 Mbit/s, so a lost connection costs little. S3 takes no less than 5 MiB."""
NUMBER_LIMIT: Final = 10_000
"""Parts of one upload: S3 takes no more."""
TOLD: Final = 100
"""Parts of one answer. Whoever has sent those asks for the next ones."""


@dataclass(frozen=True, slots=True)
class Part:
    """Bytes that are still to be sent."""

    number: int
    """From 1 on."""
    offset: int
    size: int
    """Bytes."""
    url: str = field(repr=False)
    """A path on this service, for whoever may upload the video; or an absolute address, signed for these bytes."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The next parts of an upload. Without any, all bytes are there."""

    part_size: int
    """Bytes of every part but the last one."""
    at_once: int
    """Parts that may be sent at the same time; with 1 they are sent in their order."""
    received: int
    """Bytes that are there."""
    parts: tuple[Part, ...]
    expires_at: datetime | None = None
    """The end of the signed addresses."""


def part_size(size: int) -> int:
    """Bytes of a part of a video with so many bytes: the least, in whole MiB, of which NUMBER_LIMIT are enough."""
    return max(LEAST, -(-size // (NUMBER_LIMIT * MEBIBYTE)) * MEBIBYTE)


def bounds(size: int) -> Iterator[tuple[int, int, int]]:
    """Number, offset and size of each part of a video with so many bytes."""
    step = part_size(size)
    for number, offset in enumerate(range(0, size, step), 1):
        yield number, offset, min(step, size - offset)


def too_much(size: int) -> TooLargeError:
    """The error of an upload that goes on behind its end."""
    return TooLargeError(f"The video was reserved with {size} bytes, and more than those were sent.")
