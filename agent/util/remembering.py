"""Answers that are asked for again and again, and cost a look at the disk."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import wraps
from typing import TypeVar

Answer = TypeVar("Answer")


def remembered(*, for_s: float) -> Callable[[Callable[[], Answer]], Callable[[], Answer]]:
    """Decorate a function without arguments: its answer holds for so many seconds."""

    def decorate(ask: Callable[[], Answer]) -> Callable[[], Answer]:
        known: list[tuple[float, Answer]] = []

        @wraps(ask)
        def answer() -> Answer:
            now = time.monotonic()
            if not known or now >= known[0][0]:
                known[:] = [(now + for_s, ask())]
            return known[0][1]

        return answer

    return decorate
