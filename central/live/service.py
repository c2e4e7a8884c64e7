"""Live streams. Each is a stream key with a path of its own, and the stream that is published with it: who may publish,
what is on, and how a publisher is disconnected are theirs."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncSession

from central.core.db.engine import Database
from central.core.errors import InvalidRequestError, StreamNotFoundError
from central.core.ids import new_id
from central.core.pages import Clock, Page, id_behind, page_of, utc_now
from central.core.types import Caller
from central.live import repository
from central.live.addresses import PublishUrls
from central.live.models import LiveBody
from central.live.recording import Recording
from central.live.repository import LiveRecord
from central.live.types import FOLDER, LiveState
from central.media.repository import lock_keys
from central.media.stream_keys import StreamKeys
from central.media.types import KeyStatus
from central.streams import repository as streams_repository
from central.streams.service import Streams

BROADCASTER: Final = "Live streams"
"""The broadcaster of all of them, made with the first."""


class Lives:
    """Makes, lists, changes and ends them."""

    def __init__(
        self,
        database: Database,
        stream_keys: StreamKeys,
        streams: Streams,
        publish_urls: PublishUrls,
        recording: Recording,
        *,
        now: Clock = utc_now,
    ) -> None:
        self._database = database
        self._stream_keys = stream_keys
        self._streams = streams
        self.publish_urls = publish_urls
        self.urls = streams.urls
        self.recording = recording
        self._now = now

    async def add(self, caller: Caller, body: LiveBody) -> tuple[LiveRecord, str]:
        """A new live stream and its key, which is told this once. Raises InvalidRequestError when it would have ended
        before it begins, or cannot be recorded."""
        self._require_recording(body.record)
        live_id = new_id()
        made, key = await self._stream_keys.add(
            await self._stream_keys.broadcaster_named(BROADCASTER),
            name=body.title,
            path=f"{FOLDER}/{live_id}",
            expires_at=body.expires_at,
            id=live_id,
            title=body.title,
            record=body.record,
            owner_id=caller.id or None,
            owner_name=caller.name,
        )
        live = LiveRecord(made.key, None)
        if body.record:
            await self._align(live)
        return live, key

    async def page(self, *, state: LiveState | None, cursor: str | None, limit: int) -> Page[LiveRecord]:
        """The newest first; those in that state, if one is named."""
        async with self._database.read() as session:
            found = await repository.page(
                session, state=state, now=self._now(), after=id_behind(cursor), limit=limit + 1
            )
        return page_of(found, limit, lambda record: record.key.id)

    async def get(self, live_id: str) -> LiveRecord:
        """The live stream with this id. Raises StreamNotFoundError."""
        async with self._database.read() as session:
            found = await repository.get(session, live_id)
        if found is None:
            raise StreamNotFoundError("There is no live stream with this id.")
        return found

    async def change(self, live_id: str, values: dict[str, Any]) -> LiveRecord:
        """Change its columns; a new title is also that of the stream that is on.

        Raises StreamNotFoundError, or InvalidRequestError when it cannot be recorded.
        """
        self._require_recording(values.get("record", False))
        await self.get(live_id)

        async def work(session: AsyncSession) -> None:
            await lock_keys(session, id=live_id)
            names = {"name": values["title"]} if "title" in values else {}
            await repository.change(session, live_id, values | names)
            on = await repository.get(session, live_id)
            if "title" in values and on is not None and on.stream is not None:
                changed = {"title": values["title"], "updated_at": self._now()}
                await streams_repository.change(session, on.stream.id, changed)

        await self._database.write(work)
        changed = await self.get(live_id)
        if "record" in values:
            await self._align(changed)
        return changed

    async def stop(self, caller: Caller, live_id: str) -> LiveRecord:
        """End the stream that is on, and disconnect its publisher. Raises StreamNotFoundError."""
        on = (await self.get(live_id)).stream
        if on is not None:
            await self._streams.stop(caller, on.id)
        return await self.get(live_id)

    async def end(self, live_id: str) -> None:
        """Revoke its key: the stream that is on ends, and its publisher is disconnected. A second call changes nothing.

        Raises StreamNotFoundError.
        """
        live = await self.get(live_id)
        await self._stream_keys.revoke(live_id)
        if live.key.record:
            await self._align(await self.get(live_id))

    def state(self, record: LiveRecord) -> LiveState:
        if record.stream is not None:
            return LiveState.LIVE
        is_active = self._stream_keys.status(record.key) is KeyStatus.ACTIVE
        return LiveState.WAITING if is_active else LiveState.ENDED

    async def _align(self, live: LiveRecord) -> None:
        if self.recording.is_configured:
            on = live.key.record and self.state(live) is not LiveState.ENDED
            await self.recording.switch(live.path, on=on)

    def _require_recording(self, wanted: bool) -> None:
        if wanted and not self.recording.is_configured:
            raise InvalidRequestError.of(
                "record", "must be false: set mediamtx.recordings and mediamtx.api_url in cast-central's configuration"
            )
