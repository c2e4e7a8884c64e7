"""The services of the library's calls."""

from __future__ import annotations

from dataclasses import dataclass

from central.library.checking import Checking
from central.library.imports import Imports
from central.library.jobs import Jobs
from central.library.sources import Sources
from central.library.upkeep import Upkeep
from central.library.uploads import Uploads
from central.library.videos import Videos


@dataclass(frozen=True, slots=True)
class Library:
    """All parts of it."""

    videos: Videos
    uploads: Uploads
    imports: Imports
    sources: Sources
    checking: Checking
    jobs: Jobs
    upkeep: Upkeep
