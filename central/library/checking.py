"""Looks at what was uploaded, and says whether boxes can play it. The rows in state `checking` are the list of what is
to be done, so nothing is lost with the process that does it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from central.core.db.engine import Database
from central.core.errors import StorageFullError, UploadInUseError
from central.core.pages import Clock, utc_now
from central.core.workers import OnDemand
from central.library import repository
from central.library.boxes import Boxes
from central.library.digest import sha256_of
from central.library.jobs import new_job
from central.library.playable import is_playable
from central.library.probe import Flaw, Probe
from central.library.storage import Storage
from central.library.tables import Video
from central.library.types import PICTURES, JobKind, VideoState

log = structlog.stdlib.get_logger(__name__)

AT_ONCE: Final = 2
"""Videos that are checked at once: one that takes long holds up no other."""
LOOK_EVERY_S: Final = 5.0
"""The greatest delay with which a video is found that was completed through another instance; our own tell us."""
CANDIDATES: Final = 20
"""Videos of one look: those that are being checked elsewhere are among them."""


class Checking:
    """Two instances never check the same video at once: whoever does has it alone (`Storage.held`)."""

    def __init__(
        self,
        database: Database,
        storage: Storage,
        probe: Probe,
        boxes: Boxes,
        *,
        added: Callable[[], None],
        now: Clock = utc_now,
    ) -> None:
        """`added` is called when there are jobs."""
        self._database = database
        self._storage = storage
        self._probe = probe
        self._boxes = boxes
        self._added = added
        self._now = now
        work = OnDemand(self._one, every_s=LOOK_EVERY_S)
        self.wake, self.run = work.wake, work.run

    async def _one(self) -> bool:
        """Check the video that waits for longest; whether there was one."""
        async with self._database.read() as session:
            waiting = await repository.of_state(session, VideoState.CHECKING, limit=CANDIDATES)
        full: StorageFullError | None = None
        for video in waiting:
            try:
                async with self._storage.held(video.id):
                    if await self._is_still_waiting(video):
                        await self._end(video, await self._found(video))
                        return True
            except UploadInUseError:
                continue
            except StorageFullError as error:
                full = error  # a smaller one may fit
            except OSError as error:
                await self._end(video, {"state": VideoState.FAILED, "problem": f"Its file is lost: {error.strerror}."})
                return True
        if full is not None:
            raise full
        return False

    async def _is_still_waiting(self, video: Video) -> bool:
        """Another instance may have ended its check before its file was ours."""
        async with self._database.read() as session:
            found = await session.get(Video, video.id)
        return found is not None and found.state == VideoState.CHECKING

    async def _found(self, video: Video) -> dict[str, Any]:
        """The values of the row after the check."""
        try:
            async with self._storage.local(video.id, video.size) as file:
                sha256 = await sha256_of(file)
                if video.sha256 not in (None, sha256):
                    raise Flaw(
                        "Its bytes have another SHA-256 than was reserved: it changed on the way. Upload it again."
                    )
                facts = await self._probe.look(file, video.type)
        except Flaw as flaw:
            return {"state": VideoState.FAILED, "problem": str(flaw)}
        except OSError as error:
            return {"state": VideoState.FAILED, "problem": f"Its file cannot be read: {error.strerror}."}
        return {"state": VideoState.READY, "sha256": sha256, **facts}

    async def _end(self, video: Video, values: dict[str, Any]) -> None:
        now, plays = self._now(), [True]
        if values["state"] == VideoState.READY:
            codecs = values["video_codec"], values["audio_codec"]
            plays = [is_playable(video.type, *codecs, decodes) for decodes in await self._boxes.decoders()]
            if plays and not any(plays):
                values["state"] = VideoState.TRANSCODING

        async def work(session: AsyncSession) -> Video | None:
            changed = await repository.change(
                session, video.id, values | {"updated_at": now}, state=VideoState.CHECKING
            )
            if changed is not None and changed.state != VideoState.FAILED and changed.type.startswith("video/"):
                if not all(plays):
                    session.add(new_job(video.id, JobKind.FULL_HD, is_awaited=True, now=now))
                session.add_all(new_job(video.id, kind, now=now) for kind in PICTURES)
            return changed

        changed = await self._database.write(work)
        if changed is not None:
            if changed.state == VideoState.FAILED:
                await self._storage.delete(video.id)
            log.info("video_checked", video_id=video.id, state=changed.state, problem=changed.problem)
            self._added()
