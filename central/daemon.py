"""Composition root: builds everything, starts in order, stops in reverse."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import resource
import signal
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import structlog
from aiohttp import web

from cast_util.notify import Notifier
from cast_util.tasks import Supervisor
from central.analytics.counting import Counting
from central.analytics.feature import analytics_feature
from central.core.access.service import Access
from central.core.db.clock import ADJUST_S, DatabaseClock
from central.core.db.engine import Database
from central.core.db.locks import LockOrder
from central.core.db.migrate import in_use, migrate
from central.core.errors import ConfigError, DatabaseUnavailableError
from central.core.feature import Feature
from central.core.http.app import create_app, runner_of
from central.core.http.guard import Guard
from central.core.http.metrics import Metrics
from central.core.pages import Clock
from central.core.workers import Worker, repeated
from central.description import description
from central.devices.boxes import Boxes
from central.devices.enrolment_repository import TOKENS
from central.devices.feature import devices_feature
from central.library.feature import disk_of, library_feature, opened
from central.library.service import Library
from central.library.videos import GIGABYTE
from central.live.feature import live_feature
from central.live.service import Lives
from central.locks import LOCK_ORDER
from central.media.feature import media_feature
from central.media.mediamtx import MediaMtx
from central.media.publishers import StreamPublishers
from central.media.server import MediaServer, NoMediaServer
from central.media.service import Media
from central.media.settings import MediaMtxSettings
from central.page.feature import page_feature
from central.page.repository import tokens
from central.servers import Servers, servers_of
from central.settings import Settings
from central.streams.feature import streams_feature
from central.streams.service import Streams
from central.streams.urls import NO_VIEWERS, PlayUrls
from central.system import System, system_feature

log = structlog.stdlib.get_logger(__name__)

DESCRIPTORS: Final = 65_536

GC_THRESHOLD: Final = (20_000, 20, 20)
"""A hundred requests under way hold more objects than the usual 700: each look for garbage found them in use, and the
looks took a tenth of the time of a request. 20,000 objects are some MB."""

DATABASE_WAIT_S: Final = 60.0
"""The longest wait for the database: after a power cut the server may need that long; the supervisor of the service
tries again after that."""
DATABASE_LOOK_S: Final = 1.0
"""Soon enough for a start, and no load on a server that is just recovering."""


@dataclass(frozen=True, slots=True)
class Services:
    """The services of the features, for programs that run the API themselves, such as tests."""

    database: Database
    access: Access
    streams: Streams
    boxes: Boxes
    media: Media
    library: Library
    live: Lives
    servers: Servers


@dataclass(frozen=True, slots=True)
class Running:
    """A service that answers."""

    services: Services
    host: str
    port: int


@contextlib.asynccontextmanager
async def running(
    settings: Settings, *, now: Clock | None = None, checks_locks: bool = sys.flags.dev_mode
) -> AsyncIterator[Running]:
    """The whole service, from its start to its end, by the clock of its database unless another is given.

    With `checks_locks` a unit of work that locks out of order fails. Raises ConfigError or DatabaseUnavailableError.
    """
    async with contextlib.AsyncExitStack() as stack:
        order = LOCK_ORDER if checks_locks else None
        database = await stack.enter_async_context(database_of(settings, lock_order=order))
        servers = servers_of(settings.cache, settings.broker)
        workers: dict[str, Worker] = {**servers.workers}
        if now is None:
            now = clock = DatabaseClock(database)
            await clock.adjust()
            workers["clock"] = repeated(clock.adjust, every_s=ADJUST_S)
        server: MediaServer = NoMediaServer()
        if settings.mediamtx.api_url:
            server = client = MediaMtx(settings.mediamtx.api_url)
            stack.push_async_callback(client.close)
        access = Access(database, {**TOKENS, **tokens(settings.api.secret)}, secret=settings.api.secret, now=now)
        urls = _urls(settings.mediamtx)
        streams = streams_feature(database, StreamPublishers(server), urls, settings.retention, now=now)
        counting = Counting(servers.cache)
        devices = devices_feature(database, settings.devices, urls, settings.retention, counting, now=now)
        media = media_feature(database, access, settings.mediamtx, server, now=now)
        disk = disk_of(settings.library, settings.library_folder())
        storage = await stack.enter_async_context(opened(settings.s3, disk, now=now))
        library = library_feature(
            database, settings.library, disk, storage, devices.service.known, servers.wakes, now=now
        )
        live = live_feature(
            database,
            streams.service,
            media.service,
            library.service,
            settings.mediamtx,
            server,
            settings.retention,
            keep_free=int(settings.library.keep_free * GIGABYTE),
            now=now,
        )
        analytics = analytics_feature(database, servers.cache, settings.retention, now=now)
        page = page_feature(database, access, connect=(*settings.page_origins(), *urls.origins), now=now)
        features: list[Feature[Any]] = [devices, streams, media, library, live, analytics, page]
        supervisor = _supervised(stack, workers, features)
        metrics = Metrics(database, (gauge for feature in features for gauge in feature.gauges))
        reconciliation = media.service.reconciliation
        system = System(database, reconciliation, urls, servers, supervisor, metrics, description)
        host, port = await _serve(stack, settings, [*features, system_feature(system)], access, metrics)
        log.info("central_started", host=host, port=port, database=database.url.render_as_string())
        await _advise(settings, access, has_urls=urls.are_known)
        gc.collect()
        gc.freeze()  # what is there now stays: looking through it again and again made every hundredth answer late
        services = Services(
            database, access, streams.service, devices.service, media.service, library.service, live.service, servers
        )
        yield Running(services, host, port)
        log.info("central_stop_requested")


def _supervised(
    stack: contextlib.AsyncExitStack, workers: Mapping[str, Worker], features: Sequence[Feature[Any]]
) -> Supervisor:
    """Run these workers and those of the features until the end of the stack."""
    supervisor = Supervisor()
    named = {f"{feature.name}_{name}": work for feature in features for name, work in feature.workers.items()}
    for name, work in {**workers, **named}.items():
        run_beside(stack, supervisor.start(work, name=name))
    return supervisor


async def _serve(
    stack: contextlib.AsyncExitStack,
    settings: Settings,
    features: Sequence[Feature[Any]],
    access: Access,
    metrics: Metrics,
) -> tuple[str, int]:
    """Answer calls until the end of the stack; at which host and port. Raises ConfigError."""
    guard = Guard(
        access,
        proxies=settings.api.trusted_proxies,
        media_servers=settings.mediamtx.addresses,
        media_secret=settings.mediamtx.secret,
    )
    runner = runner_of(create_app(features, guard, metrics))
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
    return host, port


async def _advise(settings: Settings, access: Access, *, has_urls: bool) -> None:
    """Log warnings about the configuration."""
    if not await access.has_key():
        log.warning("admin_key_not_found", hint="Make one: cast-central key add NAME")
    if settings.api.secret is not None and settings.api.secret == settings.mediamtx.secret:
        log.warning("secret_shared", hint="MediaMTX has the secret of the API: set MEDIAMTX_SECRET to another one.")
    if settings.mediamtx.api_url and not has_urls:
        log.warning("public_url_omitted", hint=NO_VIEWERS)


async def run(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT. Raises ConfigError or DatabaseUnavailableError."""
    _allow_many_connections()
    asked = asked_to_stop()
    systemd = Notifier()
    systemd.start()
    try:
        async with running(settings):
            gc.set_threshold(*GC_THRESHOLD)
            systemd.ready()
            await asked.wait()
            systemd.stopping()
    finally:
        systemd.close()
    log.info("central_stopped")


def asked_to_stop() -> asyncio.Event:
    """Set by SIGTERM and SIGINT from now on."""
    asked = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, asked.set)
    return asked


def _allow_many_connections() -> None:
    """Raise the soft limit of descriptors, usually 1024, as far as possible: each box keeps a connection."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, DESCRIPTORS)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


@contextlib.asynccontextmanager
async def database_of(settings: Settings, *, lock_order: LockOrder | None = None) -> AsyncIterator[Database]:
    """The database, up to date, and no restore's until the end of the block. Raises ConfigError or
    DatabaseUnavailableError."""
    database = Database(settings.database_url(), pool=settings.database.pool, lock_order=lock_order)
    try:
        with in_use(database):
            await _migrated(database)
            yield database
    finally:
        await database.close()


async def _migrated(database: Database) -> None:
    """Wait for the database, and bring it up to date. Raises ConfigError or DatabaseUnavailableError."""
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


def run_beside(stack: contextlib.AsyncExitStack, task: asyncio.Task[None]) -> None:
    """Have the task cancelled at the end of the stack."""

    async def end() -> None:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    stack.push_async_callback(end)


def _urls(settings: MediaMtxSettings) -> PlayUrls:
    return PlayUrls(
        public=settings.public_url, hls=settings.hls_url, webrtc=settings.webrtc_url, rtsp=settings.rtsp_url
    )
