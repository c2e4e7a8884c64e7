"""What the library asks about boxes."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

from central.core.types import Decodes, KnownBox


class Boxes(Protocol):
    """The boxes that are not revoked. Each call may raise DatabaseUnavailableError."""

    async def find(self, device_id: str) -> KnownBox | None:
        """The box with this id; None once it is revoked."""

    async def decoders(self) -> Collection[Decodes]:
        """What they decode, each that differs once; none without any box."""
