"""The pictures over the length of a film: a hundred of them, from left to right and from the top down in one JPEG."""

from __future__ import annotations

from typing import Final

COLUMNS: Final = 10
ROWS: Final = 10
COUNT: Final = COLUMNS * ROWS
"""The same of each film, so that a picture of all tells all of it; more would not be told apart on a slider."""
LEAST_S: Final = 1.0
"""Seconds of film that are divided at least: of a shorter one the last pictures are alike."""


def every_s(duration: float) -> float:
    """Seconds of a film of that length for which one of the pictures stands."""
    return max(duration, LEAST_S) / COUNT


def as_webvtt(duration: float, width: int, height: int) -> str:
    """The times of the pictures and their places (`#xywh=`, W3C Media Fragments) in a JPEG of that size, as WebVTT. The
    JPEG is named `thumbnails`, in the same folder."""
    each_s, wide, high = every_s(duration), width // COLUMNS, height // ROWS
    cues = (
        f"{_clock(number * each_s)} --> {_clock((number + 1) * each_s)}\n"
        f"thumbnails#xywh={number % COLUMNS * wide},{number // COLUMNS * high},{wide},{high}\n"
        for number in range(COUNT)
    )
    return "\n".join(("WEBVTT\n", *cues))


def _clock(seconds: float) -> str:
    minutes, ms = divmod(round(seconds * 1000), 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{ms // 1000:02}.{ms % 1000:03}"
