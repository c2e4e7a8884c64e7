"""The files of a page for people: read once, served with a tag, and allowed to load nothing from elsewhere."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

COMMON: Final = Path(__file__).parent / "page"
"""The files that all pages of ours have in common."""

TYPES: Final = MappingProxyType(
    {
        ".html": "text/html",
        ".js": "text/javascript",
        ".css": "text/css",
        ".svg": "image/svg+xml",
        ".webmanifest": "application/manifest+json",
    }
)
"""Named here, because a machine may lack the list that Python guesses by. All are text in UTF-8."""

MEDIA_TYPES: Final = tuple(TYPES.values())


@dataclass(frozen=True, slots=True)
class PageFile:
    """One file, and how it is served."""

    text: str
    type: str
    tag: str
    """A hash of its content, for caches."""


def page_files(folder: Path) -> Mapping[str, PageFile]:
    """The files of a page by name, with those in COMMON: less than 100 kB, so nobody who opens it waits for a disk.

    Raises KeyError for a file of a type that is not served, and ValueError for a name that is in both folders.
    """
    paths = [file for place in (COMMON, folder) for file in place.iterdir() if file.is_file()]
    files = {file.name: _read(file) for file in paths}
    if len(files) < len(paths):
        raise ValueError(f"A file of {folder} has the name of one in {COMMON}.")
    return files


def page_headers(connect: Iterable[str] = ()) -> Mapping[str, str]:
    """The headers of every file of a page. `connect` are origins that it may call beside its own."""
    called = " ".join(("'self'", *connect))
    policy = (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
        f"connect-src {called}; manifest-src 'self'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    )
    return {
        "Cache-Control": "no-cache",  # asked for each time and answered 304: an upgrade shows at once
        "Content-Security-Policy": policy,
        "Cross-Origin-Opener-Policy": "same-origin",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }


def _read(file: Path) -> PageFile:
    content = file.read_bytes()
    return PageFile(content.decode(), TYPES[file.suffix], hashlib.sha256(content).hexdigest()[:32])
