"""The log of the agent."""

from __future__ import annotations

from collections.abc import Iterator
from io import StringIO

import pytest

from agent.config.settings import LogSettings
from agent.host import log


@pytest.fixture
def logged() -> Iterator[StringIO]:
    stream = StringIO()
    log.configure(LogSettings(format="json", level="debug"), stream=stream)
    yield stream
    log.configure(LogSettings(level="error"))
