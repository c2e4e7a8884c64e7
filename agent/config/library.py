"""The section of the library of the central API."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

from pydantic import BeforeValidator, ByteSize, Field

from cast_util.settings import Section, no_bool

FOLDER: Final = "library"
"""Inside the state directory."""


class LibrarySettings(Section):
    """The videos of the library that this box keeps."""

    cache: Annotated[ByteSize, BeforeValidator(no_bool), Field(ge=0, le=10**15)] = Field(
        default=ByteSize(10_000_000_000), description='a size such as "10 GB" or "500 MB"; 0 keeps none'
    )

    def folder(self, state: Path) -> Path | None:
        """The folder of the cache; None where there is none."""
        return state / FOLDER if self.cache else None
