"""Composition root: builds everything, starts in order, stops in reverse."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import resource
import signal
from collections.abc import AsyncIterator, Coroutine
from dataclasses import dataclass
from typing import Final

import structlog
from aiohttp import web

from central.api.app import create_app, runner_of
from central.db.clock import DatabaseClock
from central.db.engine import Database
from central.db.migrate import migrate
from central.errors import ConfigError, DatabaseUnavailableError
from central.mediamtx import MediaMtx
from central.services.access import Access
from central.services.all import Services
from central.services.devices import Devices
from central.services.interruptions import Interruptions
from central.services.media import MediaServer, NoMediaServer
from central.services.pages import Clock, utc_now
from central.services.publishing import Publishing
from central.services.quota import Quota
from central.services.reconcile import Reconciliation
from central.services.stream_keys import StreamKeys
from central.services.streams import Streams
from central.services.upkeep import Upkeep
from central.services.viewing import Viewing
from central.settings import MediaMtxSettings, Settings
from central.urls import NO_VIEWERS, PlayUrls

log = structlog.stdlib.get_logger(__name__)

DESCRIPTORS: Final = 65_536

DATABASE_WAIT_S: Final = 60.0
"""After a power cut the database server may need that long; whoever started us tries again after that."""
DATABASE_LOOK_S: Final = 1.0
"""Soon enough for a start, and no load on a server that is just recovering."""


@dataclass(frozen=True, slots=True)
class Running:
    """A service that answers."""

    services: Services
    host: str
    port: int


@contextlib.asynccontextmanager
async def running(settings: Settings, *, now: Clock | None = None) -> AsyncIterator[Running]:
    """The whole service, from its start to its end, by the clock of its database unless another is given.

    Raises ConfigError or DatabaseUnavailableError.
    """
    async with contextlib.AsyncExitStack() as stack:
        database = Database(settings.database_url(), pool=settings.database.pool)
        stack.push_async_callback(database.close)
        await _migrated(database)
        if now is None:
            now = clock = DatabaseClock(database)
            await clock.adjust()
            await _run_beside(stack, clock.run(), "clock")
        server: MediaServer = NoMediaServer()
        if settings.mediamtx.api_url:
            server = client = MediaMtx(settings.mediamtx.api_url)
            stack.push_async_callback(client.close)
        services = build(settings, database, server, now=now)
        upkeep = Upkeep(database, settings.devices, settings.retention, now=now)
        await _run_beside(stack, upkeep.run(), "upkeep")
        await _run_beside(stack, services.interruptions.run(), "interruptions")
        if services.reconciliation.is_configured:
            await _run_beside(stack, services.reconciliation.run(), "reconciliation")
        runner = runner_of(create_app(settings, services))
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        site = web.TCPSite(runner, settings.api.host, settings.api.port, backlog=1024)
        try:
            await site.start()
        except OSError as error:
            raise ConfigError(
                f"Nothing can be served at {settings.api.host} port {settings.api.port} ({error.strerror}). "
                "Set another host or port in the section [api] of the configuration."
            ) from error
        host, port = runner.addresses[0][:2]
        log.info("central_started", host=host, port=port, database=database.url.render_as_string())
        if not await services.access.has_key():
            log.warning("admin_key_not_found", hint="Make one: cast-central key add NAME")
        if settings.api.secret is not None and settings.api.secret == settings.mediamtx.secret:
            log.warning("secret_shared", hint="MediaMTX has the secret of the API: set MEDIAMTX_SECRET to another one.")
        if services.reconciliation.is_configured and not services.urls.are_known:
            log.warning("public_url_omitted", hint=NO_VIEWERS)
        gc.collect()
        gc.freeze()  # what is there now stays: looking through it again and again made every hundredth answer late
        yield Running(services, host, port)
        log.info("central_stop_requested")


def build(settings: Settings, database: Database, server: MediaServer, *, now: Clock = utc_now) -> Services:
    """The services on a database that is up to date."""
    mediamtx = settings.mediamtx
    access = Access(database, secret=settings.api.secret, now=now)
    publishing = Publishing(database, mediamtx, server, now=now)
    quota = Quota(settings.devices.quota)
    return Services(
        database=database,
        access=access,
        devices=Devices(database, settings.devices, quota, now=now),
        streams=Streams(database, server, quota, now=now),
        stream_keys=StreamKeys(database, server, now=now),
        publishing=publishing,
        interruptions=Interruptions(database, now=now),
        viewing=Viewing(access, publishing, mediamtx),
        reconciliation=Reconciliation(database, mediamtx, server, publishing, now=now),
        urls=_urls(mediamtx),
    )


async def run(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT. Raises ConfigError or DatabaseUnavailableError."""
    _allow_many_connections()
    asked = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, asked.set)
    async with running(settings):
        await asked.wait()
    log.info("central_stopped")


def _allow_many_connections() -> None:
    """Each box keeps a connection, and the usual soft limit is 1024 descriptors: as many as we may have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, DESCRIPTORS)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


async def _migrated(database: Database) -> None:
    last = "It does not answer."
    try:
        async with asyncio.timeout(DATABASE_WAIT_S):
            while True:
                try:
                    return await migrate(database)
                except DatabaseUnavailableError as error:
                    last = str(error)
                    await asyncio.sleep(DATABASE_LOOK_S)
    except TimeoutError as error:
        raise DatabaseUnavailableError(
            f"The database {database.url.render_as_string()} could not be used for {DATABASE_WAIT_S:g} s. {last}"
        ) from error


async def _run_beside(stack: contextlib.AsyncExitStack, coroutine: Coroutine[None, None, None], name: str) -> None:
    task = asyncio.create_task(coroutine, name=name)
    task.add_done_callback(_tell_of_its_end)

    async def end() -> None:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    stack.push_async_callback(end)


def _tell_of_its_end(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("task_failed", task=task.get_name(), exc_info=error)


def _urls(settings: MediaMtxSettings) -> PlayUrls:
    return PlayUrls(
        public=settings.public_url, hls=settings.hls_url, webrtc=settings.webrtc_url, rtsp=settings.rtsp_url
    )
