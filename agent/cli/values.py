"""The values of arguments, as people write them. Each raises ArgumentTypeError for what it does not understand."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable


def time(text: str) -> float:
    """Seconds from `90`, `1:30` or `1:02:03`."""
    parts = text.split(":")
    try:
        numbers = [float(part) for part in parts]
    except ValueError:
        numbers = []
    if not 1 <= len(numbers) <= 3 or not all(number >= 0 and math.isfinite(number) for number in numbers):
        raise argparse.ArgumentTypeError(f"{text!r} is not a time; write 90 or 1:30")
    return math.fsum(number * 60**power for power, number in enumerate(reversed(numbers)))


def volume(text: str) -> float:
    """0.0 to 1.0 from `0.5` or `50%`."""
    try:
        level = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        level = math.nan
    if not 0 <= level <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a volume; write 0.5 or 50%")
    return level


def within(low: float, high: float) -> Callable[[str], float]:
    def seconds(text: str) -> float:
        try:
            number = float(text)
        except ValueError:
            number = math.nan
        if not low <= number <= high:
            what = "an address; write it first, as in `start URL --wait`" if "://" in text else repr(text)
            raise argparse.ArgumentTypeError(
                f"a number of seconds from {low:g} to {high:g} is wanted, and this is {what}"
            )
        return number

    return seconds
