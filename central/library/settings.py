"""The settings of the library."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from cast_util.settings import AbsolutePath, Section
from central.core.settings import PublicUrl


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


Word = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[\x21-\x7e]+$")]


class S3Settings(Section):
    """An S3 bucket that has the bytes of the library instead of its folder."""

    bucket: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$")] | None = Field(
        default=None, description="the name of a bucket: 3 to 63 small letters, digits, dots and hyphens"
    )
    url: PublicUrl | None = Field(default=None, description="the server, such as http://127.0.0.1:7070")
    """Amazon's, of the region, unless it is set."""
    public_url: PublicUrl | None = Field(
        default=None, description="as boxes and browsers reach it, such as https://s3.example.org"
    )
    """The same as `url` unless it is set."""
    region: Word = Field(default="us-east-1", description="the name of a region")
    access_key: Word | None = Field(default=None, description="1 to 200 printable ASCII characters without blanks")
    secret_key: Word | None = Field(
        default=None, repr=False, description="1 to 200 printable ASCII characters without blanks"
    )
    """Without these two: what the environment, the files of Amazon's programs or the machine's role have."""
    prefix: Annotated[str, Field(max_length=200, pattern=r"^([A-Za-z0-9._-]+/)*$")] = Field(
        default="", description="a folder in the bucket that ends with a slash, such as cast/"
    )

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if (self.access_key is None) != (self.secret_key is None):
            raise ValueError("needs both access_key and secret_key, or neither")
        if self.bucket is None and (self.url or self.public_url or self.access_key):
            raise ValueError("needs a bucket")
        return self
