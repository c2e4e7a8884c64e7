"""The library of videos as a feature of the service."""

from __future__ import annotations

from pathlib import Path

from central.core.db.engine import Database
from central.core.feature import Feature
from central.core.forgetting import EVERY_S
from central.core.pages import Clock
from central.core.workers import repeated
from central.library.checking import AT_ONCE, Checking
from central.library.folder import Folder
from central.library.operations import OPERATIONS
from central.library.probe import Probe
from central.library.service import Library
from central.library.settings import LibrarySettings
from central.library.sources import BoxSecret, Sources
from central.library.upkeep import Upkeep
from central.library.uploads import Uploads
from central.library.videos import GIGABYTE, Videos


def library_feature(
    database: Database, settings: LibrarySettings, path: Path | None, box_secret: BoxSecret, *, now: Clock
) -> Feature[Library]:
    """All of it on a database that is up to date. `path` is where the bytes of videos are kept."""
    folder = Folder(path, keep_free=int(settings.keep_free * GIGABYTE))
    probe = Probe()
    checking = Checking(database, folder, probe, now=now)
    videos = Videos(database, folder, settings, problem=probe.problem, now=now)
    uploads = Uploads(database, folder, videos, completed=checking.wake, now=now)
    sources = Sources(database, folder, box_secret, now=now)
    upkeep = Upkeep(database, folder, now=now)
    workers = {f"checking_{number}": checking.run for number in range(1, AT_ONCE + 1)}
    return Feature(
        "library",
        Library(videos, uploads, sources, checking, upkeep),
        OPERATIONS,
        workers={**workers, "upkeep": repeated(upkeep.once, every_s=EVERY_S)},
    )
