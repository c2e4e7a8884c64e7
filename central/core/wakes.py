"""Wakes workers when there is something to be done. What that is, they look up in the database."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

Wake = Callable[[], None]


class Wakes(Protocol):
    """Tells workers in all programs on one database. A word that is lost costs time alone, because workers also look at
    intervals."""

    def join(self, topic: str, wake: Wake) -> Wake:
        """Have `wake` called when there is work of this topic. Returns the function to call when there is some."""


class LocalWakes:
    """Tells the workers of this program."""

    def join(self, topic: str, wake: Wake) -> Wake:
        return wake
