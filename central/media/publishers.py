"""The publishers, as streams ask for them."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncSession

from central.media import repository
from central.media.server import MediaServer, Publisher, kick_all
from central.streams.models import PublisherName
from central.streams.tables import Stream
from central.streams.types import StreamStatus


class StreamPublishers:
    """Implements `streams.publishers.Publishers`."""

    def __init__(self, server: MediaServer) -> None:
        self._server = server

    async def of_key(self, session: AsyncSession, key_id: str) -> PublisherName | None:
        broadcaster = await repository.broadcaster_of(session, key_id)
        return PublisherName(id=broadcaster.id, name=broadcaster.name) if broadcaster else None

    async def let_go(self, session: AsyncSession, stream: Stream) -> None:
        if stream.stream_key_id is not None:
            await repository.lock_keys(session, id=stream.stream_key_id)
            await session.refresh(stream)
        if stream.status == StreamStatus.ACTIVE and stream.path:
            holder = stream.connection_id or repository.NOBODY
            await repository.drop_claims(session, path=stream.path, connection_id=holder)

    async def kick(self, stream: Stream) -> None:
        if stream.path and stream.connection_id:
            publisher = Publisher(stream.path, stream.connection_id, stream.connection_type or "")
            await kick_all(self._server, [publisher])
