"""`cast-central worker`: does the jobs of the library beside the service, on a machine that reaches its database and
its videos."""

from __future__ import annotations

import contextlib

import structlog

from cast_util.tasks import Supervisor
from central.core.db.clock import ADJUST_S, DatabaseClock
from central.core.errors import ConfigError, LibraryUnavailableError
from central.core.forgetting import EVERY_S
from central.core.settings import CacheSettings
from central.core.workers import repeated
from central.daemon import asked_to_stop, database_of, run_beside
from central.library.confined import missing
from central.library.feature import JOBS, disk_of, opened, working_on
from central.library.upkeep import Upkeep
from central.library.workshop import Workshop
from central.servers import servers_of
from central.settings import Settings

log = structlog.stdlib.get_logger(__name__)


async def run_worker(settings: Settings) -> None:
    """Work until SIGTERM or SIGINT. Raises ConfigError, DatabaseUnavailableError, or LibraryUnavailableError without
    ffmpeg."""
    if (problem := missing("ffmpeg")) is not None:
        raise LibraryUnavailableError(problem)
    if not settings.library.workers:
        raise ConfigError("workers in the section [library] is 0: this would do nothing. Set it to 1 or more here.")
    asked, supervisor = asked_to_stop(), Supervisor()
    async with contextlib.AsyncExitStack() as stack:
        database = await stack.enter_async_context(database_of(settings))
        clock = DatabaseClock(database)
        await clock.adjust()
        run_beside(stack, supervisor.start(repeated(clock.adjust, every_s=ADJUST_S), name="clock"))
        disk = disk_of(settings.library, settings.library_folder())
        storage = await stack.enter_async_context(opened(settings.s3, disk, now=clock))
        working = working_on(database, disk, storage, now=clock)
        servers = servers_of(CacheSettings(), settings.broker)
        servers.wakes.join(JOBS, working.wake)
        upkeep = Upkeep(database, storage, Workshop(disk, storage), now=clock)
        workers = {**storage.workers, "upkeep": repeated(upkeep.once, every_s=EVERY_S)}
        workers |= {f"job_{number}": working.run for number in range(1, settings.library.workers + 1)}
        named = {f"library_{name}": work for name, work in workers.items()}
        for name, work in {**named, **servers.workers}.items():
            run_beside(stack, supervisor.start(work, name=name))
        log.info("worker_started", database=database.url.render_as_string(), jobs_at_once=settings.library.workers)
        await asked.wait()
    log.info("worker_stopped")
