"""A served API with keys in a folder of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from agent.access.keys import KeyFile
from tests.support.api import Served, served


@pytest.fixture
def file(tmp_path: Path) -> KeyFile:
    return KeyFile(tmp_path)


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(folder=tmp_path) as api:
        yield api
