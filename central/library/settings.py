"""The settings of the library."""

from __future__ import annotations

from pydantic import Field

from cast_util.settings import AbsolutePath, Section


class LibrarySettings(Section):
    """The videos that boxes play from here. Sizes are in gigabytes of 1,000,000,000 bytes."""

    dir: AbsolutePath | None = Field(default=None, description="an absolute path")
    largest: float = Field(default=20.0, ge=0.001, le=1000, description="gigabytes, from 0.001 to 1000")
    """The greatest size of one video."""
    quota: float = Field(default=200.0, ge=0.001, le=1_000_000, description="gigabytes, from 0.001 to 1000000")
    """The part of the library that one key may hold."""
    keep_free: float = Field(default=1.0, ge=0, le=1_000_000, description="gigabytes, from 0 to 1000000")
    """Space that stays free on the disk: the database may be on it, too."""
    workers: int = Field(default=1, ge=0, le=32, description="a whole number from 0 to 32")
    """Jobs that are done here at once, each with two threads of ffmpeg; 0 leaves them to `cast-central worker`."""
