"""The streams that boxes begin: what they show by themselves."""

from __future__ import annotations

import json
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncSession

from central.core.access.service import reach
from central.core.db.engine import Database
from central.core.errors import DatabaseUnavailableError
from central.core.pages import Clock, utc_now
from central.core.types import Caller
from central.devices import repository
from central.devices.quota import Quota
from central.devices.service import missing_device
from central.streams import repository as streams
from central.streams.service import new_stream
from central.streams.tables import Stream
from central.streams.types import StreamSource

STREAM_BYTES: Final = 1024
"""Bytes of a stream on the disk besides its texts, with its places in the indexes."""

TRIES: Final = 5
"""Attempts to find a new code, or what was in the way: with 10,000 active codes one try in 48,000 hits one of them."""


class OwnStreams:
    """Begins the stream of a box. Everything else about it is the same for all streams."""

    def __init__(self, database: Database, quota: Quota, *, now: Clock = utc_now) -> None:
        self._database = database
        self._quota = quota
        self._now = now

    async def start(self, caller: Caller, device_id: str, values: dict[str, Any]) -> tuple[Stream, bool]:
        """A new stream of the box and True, or its active stream, unchanged, and False.

        Raises DeviceNotFoundError or QuotaExceededError. Two calls at once give one stream: the database lets only one
        in.
        """
        reach(caller, device_id)

        async def work(session: AsyncSession) -> tuple[Stream, bool]:
            if not await repository.lock(session, device_id):
                raise missing_device(device_id)
            columns = {"device_id": device_id, **values}
            for _ in range(TRIES):
                made = await streams.add(session, new_stream(StreamSource.DEVICE, self._now(), **columns))
                if made is not None:
                    return made, True
                if (there := await streams.active_of_device(session, device_id)) is not None:
                    return there, False
                # The code was taken, or the stream in the way has just ended.
            raise DatabaseUnavailableError("No free join code was found. Try again.")

        size = STREAM_BYTES + len(json.dumps(values))
        self._quota.take(device_id, size)
        is_new = False
        try:
            stream, is_new = await self._database.write(work)
        finally:
            self._quota.give_back(device_id, 0 if is_new else size)
        return stream, is_new
