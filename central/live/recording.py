"""The recording of live streams: MediaMTX records, and the library takes what it has recorded."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import BinaryIO, Final

import structlog

from central.core.db.engine import Database
from central.core.errors import CentralError, DatabaseUnavailableError
from central.core.pages import Clock, utc_now
from central.core.threads import in_thread, open_in_thread
from central.core.types import Caller, Role
from central.library.imports import Imports
from central.library.models import VideoBody
from central.live import repository, segments
from central.live.segments import Segment
from central.live.types import is_live
from central.media.reconcile import Reconciliation
from central.media.server import Look, MediaServer, MediaServerError
from central.media.tables import StreamKey

log = structlog.stdlib.get_logger(__name__)

ALIGN_S: Final = 1.0
"""As often as there is a new look at MediaMTX."""
SWEEP_S: Final = 3.0
"""A recording is settled after two seconds, and checked within one."""
RETRY_AFTER: Final = timedelta(minutes=1)
"""The pause after which a recording that could not be imported is tried again: each try asks the storage."""
TITLE_LIMIT: Final = 175
"""Characters of a live stream's title in that of a recording: 200 hold the time, too."""


class Recording:
    """Sees to it that MediaMTX records what is to be recorded, and that each recording is imported once."""

    def __init__(
        self,
        database: Database,
        server: MediaServer,
        reconciliation: Reconciliation,
        imports: Imports,
        folder: Path | None,
        *,
        keep_free: int,
        now: Clock = utc_now,
    ) -> None:
        """`folder` is the one into which MediaMTX records. With less than `keep_free` bytes left on its disk nothing is
        recorded."""
        self._database = database
        self._server = server
        self._reconciliation = reconciliation
        self._imports = imports
        self._folder = folder
        self._keep_free = keep_free
        self._now = now
        self._aligned: Look | None = None
        self._paused = False
        self._refused: dict[str, datetime] = {}
        """The time of the next try, by the id of the video: of recordings that the log has told of."""

    @property
    def is_configured(self) -> bool:
        return self._folder is not None and self._reconciliation.is_configured

    async def switch(self, path: str, *, on: bool) -> None:
        """Tell MediaMTX to record this path, or no longer. What cannot be done now `align` does later."""
        try:
            await self._server.record(path, self._folder if on else None)
        except MediaServerError as error:
            log.warning("recording_switch_failed", path=path, on=on, message=str(error))
        else:
            log.info("recording_switched", path=path, on=on)

    async def align(self) -> None:
        """Switch on and off what MediaMTX does not record as it should: it forgets all with a restart. Raises
        DatabaseUnavailableError."""
        look = self._reconciliation.last
        if look is None or look is self._aligned or self._folder is None:
            return
        wanted: set[str] = set()
        if await in_thread(self._has_room, self._folder):
            async with self._database.read() as session:
                wanted = await repository.recorded(session, now=self._now())
        for path in sorted(wanted - look.recorded):
            await self.switch(path, on=True)
        for path in sorted(look.recorded - wanted):
            if is_live(path):
                await self.switch(path, on=False)
        self._aligned = look

    async def sweep(self) -> None:
        """Import the recordings that are finished, one after the other. Raises DatabaseUnavailableError."""
        look, folder = self._reconciliation.last, self._folder
        if look is None or folder is None:
            return
        try:
            found = await in_thread(segments.finished, folder, look)
        except OSError as error:
            self._refuse(str(folder), f"The folder of the recordings cannot be read: {error.strerror}.")
            return
        keys: Mapping[str, StreamKey] = {}
        if found:
            async with self._database.read() as session:
                keys = await repository.keys_of(session, {segment.live_id for segment in found})
        self._refused = {
            each.video_id: self._refused[each.video_id] for each in found if each.video_id in self._refused
        }
        for segment in found:
            # What belongs to nobody any more is left to whoever looks after the disk.
            if segment.live_id in keys and self._refused.get(segment.video_id, self._now()) <= self._now():
                await self._import(keys[segment.live_id], segment)
        await in_thread(segments.tidy, folder, look)

    async def _import(self, key: StreamKey, segment: Segment) -> None:
        """Take a recording into the library, and delete its file; what stands against that is told."""
        try:
            async with open_in_thread(segments.take, segment) as file:
                if file is None:
                    return
                if size := (await in_thread(os.fstat, file.fileno())).st_size:
                    await self._take(key, segment, file, size)
                await in_thread(segments.remove, segment)
        except DatabaseUnavailableError:
            raise
        except CentralError as error:
            self._refuse(segment.video_id, str(error), file=str(segment.file))
        except OSError as error:
            advice = "cast-central needs the right to read and to delete what MediaMTX records."
            self._refuse(segment.video_id, f"{error.strerror}: {advice}", file=str(segment.file))
        else:
            log.info("recording_imported", video_id=segment.video_id, live_id=segment.live_id, size=size)

    async def _take(self, key: StreamKey, segment: Segment, file: BinaryIO, size: int) -> None:
        assert key.title is not None, "a live stream has one"
        kind = "video" if await in_thread(segments.has_pictures, file) else "audio"
        body = VideoBody(
            title=f"{key.title[:TITLE_LIMIT].strip()} {segment.began_at:%Y-%m-%d %H:%M:%S}Z",
            type=f"{kind}/mp4",  # type: ignore[arg-type]  # one of two that there are
            size=size,
            tags=("live",),
        )
        owner = Caller(Role.ADMIN, key.owner_id or "", key.owner_name or key.title)
        await self._imports.take(owner, segment.video_id, body, file)

    def _refuse(self, what: str, message: str, **where: str) -> None:
        write = log.debug if what in self._refused else log.warning
        self._refused[what] = self._now() + RETRY_AFTER
        write("recording_import_failed", message=message, **where)

    def _has_room(self, folder: Path) -> bool:
        """Return True if the disk of the recordings has room. Once it was full, twice as much has to be free again."""
        try:
            disk = os.statvfs(folder)
        except OSError:
            return True  # `sweep` says so
        was_paused = self._paused
        self._paused = disk.f_bavail * disk.f_frsize < self._keep_free * (2 if was_paused else 1)
        if self._paused != was_paused:
            if self._paused:
                log.warning("recording_paused", message="The disk of the recordings is full. Free space on it.")
            else:
                log.info("recording_resumed")
        return not self._paused
