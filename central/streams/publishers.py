"""The interface of streams to their publishers."""

from __future__ import annotations

from typing import Protocol

from sqlalchemy.ext.asyncio import AsyncSession

from central.streams.models import PublisherName
from central.streams.tables import Stream


class Publishers(Protocol):
    """The publishers of streams."""

    async def of_key(self, session: AsyncSession, key_id: str) -> PublisherName | None:
        """The publisher to whom this stream key belongs; None if it belongs to nobody any more."""

    async def let_go(self, session: AsyncSession, stream: Stream) -> None:
        """Lock the key of the stream, read the stream anew, and free its path if it is on."""

    async def kick(self, stream: Stream) -> None:
        """End the connection that published the stream, if one did."""
