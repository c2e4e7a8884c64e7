"""Brings what is stored in line with what MediaMTX really has on: calls of it that were lost are made good."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import datetime, timedelta
from typing import Final

import structlog

from central.core.db.engine import Database
from central.core.errors import DatabaseUnavailableError
from central.core.pages import Clock, utc_now
from central.media import repository
from central.media.publishing import Publishing
from central.media.server import Look, MediaServer, MediaServerError, Publisher, kick_all
from central.media.settings import MediaMtxSettings
from central.streams import repository as streams

log = structlog.stdlib.get_logger(__name__)

YOUNG_S: Final = 1.0
"""A stream that began, or came back, less than that before MediaMTX was asked for its list may have done so after that:
the times of two instances differ by half a second at most (`db.clock`)."""

SOONER_S: Final = 0.4
"""The least time between two looks, and the time between them while somebody who was let in is not on yet. Where no
hook tells us (the official image of MediaMTX has no program that could), its stream is known that soon; MediaMTX gives
its list from memory."""


class Reconciliation:
    """Looks at the media server at intervals, and at once when there is doubt."""

    def __init__(
        self,
        database: Database,
        settings: MediaMtxSettings,
        server: MediaServer,
        publishing: Publishing,
        *,
        now: Clock = utc_now,
    ) -> None:
        self._database = database
        self._settings = settings
        self._server = server
        self._publishing = publishing
        self._now = now
        self.reachable: bool | None = None
        """True if the media server answered the last call; None before the first."""
        self.last: Look | None = None
        """The last look that was answered."""

    @property
    def is_configured(self) -> bool:
        return self._settings.api_url is not None

    async def run(self) -> None:
        """Look at intervals until cancelled."""
        while True:
            with contextlib.suppress(DatabaseUnavailableError):  # logged where it was noticed; the next look comes soon
                await self.once()
            await asyncio.sleep(SOONER_S)
            if self._publishing.expects():
                continue
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, self._settings.reconcile - SOONER_S)):
                    await self._publishing.look_soon.wait()
            self._publishing.look_soon.clear()

    async def once(self) -> None:
        """One look. A media server that does not answer changes nothing: what was on may well be on still."""
        began = self._now()
        try:
            look = await self._server.look()
        except MediaServerError as error:
            write = log.warning if self.reachable is not False else log.debug
            write("mediamtx_call_failed", message=str(error))
            self.reachable = False
            return
        if self.reachable is False:
            log.info("mediamtx_connected")
        self.reachable = True
        self.last = look
        there = {publisher.path: publisher for publisher in look.publishers}
        for path in there:
            self._publishing.came(path)
        await self._end_what_is_gone(there, before=began - timedelta(seconds=YOUNG_S))
        await self._open_what_is_on(there)

    async def _end_what_is_gone(self, there: dict[str, Publisher], *, before: datetime) -> None:
        async with self._database.read() as session:
            on = await streams.published(session)
            claims = await repository.claims(session)
        gone = [
            stream
            for stream in on
            if stream.interrupted_at is None
            and (stream.updated_at or stream.started_at) < before  # an older list may have it not yet, or not again
            and not _is_there(there, stream.path, stream.connection_id)
        ]
        held = {stream.connection_id for stream in on} - {stream.connection_id for stream in gone}
        stale = [
            claim
            for claim in claims
            if (claim.leased_until or claim.claimed_at) < before
            and claim.connection_id not in held
            and not _is_there(there, claim.path, claim.connection_id)
        ]
        for stream in gone:
            await self._publishing.lost(stream)
        for claim in stale:
            await self._publishing.release(claim)

    async def _open_what_is_on(self, there: dict[str, Publisher]) -> None:
        async with self._database.read() as session:
            on = [stream for stream in await streams.published(session) if stream.interrupted_at is None]
        known = {(stream.path, stream.connection_id or "") for stream in on}
        unclaimed = []
        for publisher in there.values():
            if (publisher.path, publisher.connection_id) in known:
                continue
            if await self._publishing.open(publisher) is None:
                unclaimed.append(publisher)
        if self._settings.unclaimed == "kick":
            await kick_all(self._server, unclaimed)
        elif unclaimed:
            log.info("publishers_unclaimed", paths=[publisher.path for publisher in unclaimed])


def _is_there(there: dict[str, Publisher], path: str | None, connection_id: str | None) -> bool:
    publisher = there.get(path or "")
    return publisher is not None and publisher.connection_id == (connection_id or "")
