"""A served API with keys in a folder of its own, and the log of the agent."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from io import StringIO
from pathlib import Path

import pytest

from agent.access.keys import KeyFile
from agent.config.settings import LogSettings
from agent.host import log
from tests.support.api import Served, served


@pytest.fixture
def file(tmp_path: Path) -> KeyFile:
    return KeyFile(tmp_path)


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(folder=tmp_path) as api:
        yield api


@pytest.fixture
def logged() -> Iterator[StringIO]:
    stream = StringIO()
    log.configure(LogSettings(format="json", level="debug"), stream=stream)
    yield stream
    log.configure(LogSettings(level="error"))
