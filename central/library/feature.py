"""The library of videos as a feature of the service."""

from __future__ import annotations

import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from central.core.db.engine import Database
from central.core.feature import Feature
from central.core.forgetting import EVERY_S
from central.core.pages import Clock
from central.core.wakes import Wakes
from central.core.workers import repeated
from central.library.boxes import Boxes
from central.library.checking import AT_ONCE, Checking
from central.library.disk import Disk
from central.library.ffmpeg import Ffmpeg
from central.library.folder import Folder
from central.library.imports import Imports
from central.library.jobs import Jobs
from central.library.operations import OPERATIONS
from central.library.probe import Probe
from central.library.scratch import Scratch
from central.library.service import Library
from central.library.settings import LibrarySettings, S3Settings
from central.library.sources import Sources
from central.library.storage import Storage
from central.library.upkeep import Upkeep
from central.library.uploads import Uploads
from central.library.videos import GIGABYTE, Videos
from central.library.working import Working
from central.library.workshop import Workshop

JOBS: Final = "jobs"
CHECKS: Final = "checks"
"""The kinds of work for which workers are woken."""


def library_feature(
    database: Database,
    settings: LibrarySettings,
    disk: Disk,
    storage: Storage,
    boxes: Boxes,
    wakes: Wakes,
    *,
    now: Clock,
) -> Feature[Library]:
    """All of it on a database that is up to date. `disk` is worked on here, and `storage` has the bytes of videos."""
    probe = Probe()
    working = working_on(database, disk, storage, now=now)
    job_added = wakes.join(JOBS, working.wake)
    checking = Checking(database, storage, probe, boxes, added=job_added, now=now)
    videos = Videos(database, storage, settings, problem=probe.problem, now=now)
    jobs = Jobs(database, storage, videos, added=job_added, now=now)
    uploads = Uploads(database, storage, videos, completed=wakes.join(CHECKS, checking.wake), now=now)
    sources = Sources(database, videos, storage, boxes, jobs, now=now)
    upkeep = Upkeep(database, storage, Workshop(disk, storage), now=now)
    workers = {f"checking_{number}": checking.run for number in range(1, AT_ONCE + 1)}
    workers |= {f"job_{number}": working.run for number in range(1, settings.workers + 1)}
    return Feature(
        "library",
        Library(videos, uploads, Imports(database, videos, uploads), sources, checking, jobs, upkeep),
        OPERATIONS,
        workers={**workers, **storage.workers, "upkeep": repeated(upkeep.once, every_s=EVERY_S)},
    )


def working_on(database: Database, disk: Disk, storage: Storage, *, now: Clock) -> Working:
    """The worker of the jobs, in the service or in a program of its own."""
    name = f"{socket.gethostname()[:180]}:{os.getpid()}"
    return Working(database, storage, Workshop(disk, storage), Ffmpeg(disk, Probe()), name=name, now=now)


@asynccontextmanager
async def opened(settings: S3Settings, disk: Disk, *, now: Clock) -> AsyncIterator[Storage]:
    """The storage: the bucket, if one is set, or else the folder."""
    if settings.bucket is None:
        yield Folder(disk)
        return
    # To load these takes up to a second, and 25 MB.
    from central.library.bucket import Bucket
    from central.library.s3 import connected

    async with connected(settings) as s3:
        yield Bucket(s3, Scratch(disk), prefix=settings.prefix, now=now)


def disk_of(settings: LibrarySettings, path: Path | None) -> Disk:
    """The folder `path` with its limits."""
    return Disk(path, keep_free=int(settings.keep_free * GIGABYTE))
