"""The page as a feature of the service."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from cast_http.page_files import page_files, page_headers
from central.core.access.service import Access
from central.core.db.engine import Database
from central.core.feature import Feature
from central.core.forgetting import EVERY_S
from central.core.pages import Clock
from central.core.workers import repeated
from central.page.operations import OPERATIONS
from central.page.service import Page
from central.page.sessions import Sessions


def page_feature(database: Database, access: Access, *, connect: Iterable[str] = (), now: Clock) -> Feature[Page]:
    """Build the feature on a database that is up to date. `connect` are origins that the page may call, too."""
    sessions = Sessions(database, access, now=now)
    page = Page(page_files(Path(__file__).parent / "files"), page_headers(connect), sessions)
    return Feature("page", page, OPERATIONS, workers={"upkeep": repeated(sessions.upkeep, every_s=EVERY_S)})
