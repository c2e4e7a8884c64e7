"""The service of the page's calls."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cast_http.page_files import PageFile
from central.page.sessions import Sessions


@dataclass(frozen=True, slots=True)
class Page:
    """The files of the page, and who is logged in to it."""

    files: Mapping[str, PageFile]
    headers: Mapping[str, str]
    """The headers of each file."""
    sessions: Sessions
