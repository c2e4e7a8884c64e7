"""A cache beside the database: what it keeps can be looked up again, so losing it loses nothing."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple, Protocol


class Question(NamedTuple):
    """Something to look up."""

    topic: str
    """The part of the database that the answer is made of, such as the id of a video."""
    text: str
    """All else that the answer depends on."""


class Recalled(NamedTuple):
    """The answer to a question, as far as it is known."""

    value: bytes | None
    place: str | None
    """The place for an answer that is looked up now; None where none can be kept."""


class Cache(Protocol):
    """Keeps answers until their topic changes, and for some time at most. No method raises or waits for long."""

    async def recall(self, questions: Sequence[Question]) -> Sequence[Recalled]:
        """What is known, in the order of the questions. Ask before the database is asked: an answer that is older than
        a change is not found after it."""

    async def keep(self, answers: Mapping[str, bytes]) -> None:
        """Keep answers by their place."""

    async def forget(self, topics: Collection[str]) -> None:
        """These topics have changed: the database says so already."""


class NoCache:
    """Keeps nothing."""

    async def recall(self, questions: Sequence[Question]) -> Sequence[Recalled]:
        return [Recalled(None, None)] * len(questions)

    async def keep(self, answers: Mapping[str, bytes]) -> None:
        """Nothing is kept."""

    async def forget(self, topics: Collection[str]) -> None:
        """Nothing is there."""
