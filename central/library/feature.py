"""The library of videos as a feature of the service."""

from __future__ import annotations

import os
import socket
from pathlib import Path

from central.core.db.engine import Database
from central.core.feature import Feature
from central.core.forgetting import EVERY_S
from central.core.pages import Clock
from central.core.workers import repeated
from central.library.checking import AT_ONCE, Checking
from central.library.ffmpeg import Ffmpeg
from central.library.folder import Folder
from central.library.jobs import Jobs
from central.library.operations import OPERATIONS
from central.library.probe import Probe
from central.library.renditions import Renditions
from central.library.service import Library
from central.library.settings import LibrarySettings
from central.library.sources import BoxSecret, Sources
from central.library.upkeep import Upkeep
from central.library.uploads import Uploads
from central.library.videos import GIGABYTE, Videos
from central.library.working import Working


def library_feature(
    database: Database, settings: LibrarySettings, path: Path | None, box_secret: BoxSecret, *, now: Clock
) -> Feature[Library]:
    """All of it on a database that is up to date. `path` is where the bytes of videos are kept."""
    folder = _folder(settings, path)
    renditions, probe = Renditions(folder), Probe()
    working = working_on(database, settings, path, now=now)
    checking = Checking(database, folder, probe, added=working.wake, now=now)
    videos = Videos(database, folder, renditions, settings, problem=probe.problem, now=now)
    jobs = Jobs(database, folder, videos, added=working.wake, now=now)
    uploads = Uploads(database, folder, videos, completed=checking.wake, now=now)
    sources = Sources(database, folder, renditions, box_secret, now=now)
    upkeep = Upkeep(database, folder, renditions, now=now)
    workers = {f"checking_{number}": checking.run for number in range(1, AT_ONCE + 1)}
    workers |= {f"job_{number}": working.run for number in range(1, settings.workers + 1)}
    return Feature(
        "library",
        Library(videos, uploads, sources, checking, jobs, upkeep),
        OPERATIONS,
        workers={**workers, "upkeep": repeated(upkeep.once, every_s=EVERY_S)},
    )


def working_on(database: Database, settings: LibrarySettings, path: Path | None, *, now: Clock) -> Working:
    """The worker of the jobs, in the service or in a program of its own."""
    folder = _folder(settings, path)
    name = f"{socket.gethostname()[:180]}:{os.getpid()}"
    return Working(database, folder, Renditions(folder), Ffmpeg(folder, Probe()), name=name, now=now)


def _folder(settings: LibrarySettings, path: Path | None) -> Folder:
    return Folder(path, keep_free=int(settings.keep_free * GIGABYTE))
