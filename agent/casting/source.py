"""The source of a session: the address that it was given, or an object that reports addresses."""

from __future__ import annotations

import asyncio
from typing import Protocol

from agent.errors import AgentError


class Source(Protocol):
    """Asked before an attempt, told what became of it, and followed for as long as the session lives."""

    has_moved: asyncio.Event
    """Set when the address that plays is no longer the one to play."""

    async def is_on(self) -> bool:
        """Return True if the source is still on. Called before an attempt, and after one has failed. Raises the
        AgentError that makes the source unplayable."""

    async def follow(self) -> None:
        """Return when it has ended, also while the session waits. Raises the AgentError for which it must end."""

    async def rest(self, delay_s: float) -> None:
        """Wait so long before the next attempt, or until an earlier one is known to be worthwhile."""

    @property
    def is_awaited(self) -> bool:
        """Return True if a source that is off is known to be expected back."""

    def choose(self) -> None:
        """The next attempt plays the address whose turn it is."""

    @property
    def untried(self) -> int:
        """Addresses that are left for when this one cannot be played."""

    def shown(self) -> None:
        """Record that the attempt has shown something."""

    def failed(self, error: AgentError) -> AgentError | None:
        """The attempt failed before its first frame. None when another address is to be tried at once; otherwise the
        error that counts."""


class Address:
    """The address of the request. It never moves, and nobody but its player knows whether there is anything."""

    untried = 0
    is_awaited = False

    def __init__(self) -> None:
        self.has_moved = asyncio.Event()

    async def is_on(self) -> bool:
        return True

    async def follow(self) -> None:
        await asyncio.Event().wait()

    async def rest(self, delay_s: float) -> None:
        await asyncio.sleep(delay_s)

    def choose(self) -> None:
        """Do nothing: there is one address."""

    def shown(self) -> None:
        """Do nothing: there is nothing to remember."""

    def failed(self, error: AgentError) -> AgentError:
        return error
