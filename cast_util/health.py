"""The health of a part of a program, as it reports it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Check:
    """The result of a check of one part of the program."""

    available: bool = True
    message: str = ""
    """A sentence for a person; says what to do when it does not."""
