"""The storage of presets and recent addresses: a list of JSON objects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol


class Entries(Protocol):
    """A list of JSON objects on the disk."""

    async def read(self) -> list[dict[str, Any]]:
        """Read the list. Raises StorageError."""

    async def write(self, entries: Sequence[Mapping[str, Any]]) -> None:
        """Replace the list. Raises StorageError, and leaves the list unchanged then."""


class NotKept:
    """A store for presets that need not outlive the agent."""

    async def read(self) -> list[dict[str, Any]]:
        return []

    async def write(self, entries: Sequence[Mapping[str, Any]]) -> None:
        """Do nothing: there is no disk here."""
