"""A real central API for every test that asks: a process of its own, on SQLite."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession

from agent.reporting.central.credentials import Credentials
from agent.reporting.central.enrol import enrol
from tests.central.support.process import CentralProcess, central_process
from tests.reporting.support.admin import Admin
from tests.reporting.support.proxy import Proxy
from tests.support.leaks import LeakCheck


@pytest.fixture(scope="session")
def central(leaks: LeakCheck, tmp_path_factory: pytest.TempPathFactory) -> Iterator[CentralProcess]:
    """One for the run. Whoever stops it starts it again."""
    file = tmp_path_factory.mktemp("central") / "central.db"
    # A heartbeat that is short enough to be waited for, and a media server where the fakes play.
    settings = {"DEVICES__HEARTBEAT": "1", "MEDIAMTX__RTSP_URL": "rtsp://camera", "MEDIAMTX__HLS_URL": "http://film"}
    settings["LIBRARY__DIR"] = str(file.parent / "library")
    environ: dict[str, Any] = {f"CAST_CENTRAL_{name}": value for name, value in settings.items()}
    with central_process(f"sqlite:///{file}", **environ) as process:
        leaks.own_pids(lambda: process.pids)
        yield process


@pytest.fixture(scope="session")
def admin_key(central: CentralProcess) -> str:
    return central.command("key", "add", "test")


@pytest.fixture(scope="session")
def enrolment_token(central: CentralProcess) -> str:
    """For all boxes of the run."""
    return central.command("enrol", "--uses", "500")


@pytest.fixture
async def enrolment(central: CentralProcess, enrolment_token: str, tmp_path: Path) -> Credentials:
    """Of a new box, kept in the folder `state`."""
    return (await enrol(central.url, enrolment_token, folder=tmp_path / "state", name="kitchen")).enrolment


@pytest.fixture
def proxy(central: CentralProcess) -> Iterator[Proxy]:
    """The way from a box to the central API."""
    with Proxy(before=central.port) as made:
        yield made


@pytest.fixture
async def admin(central: CentralProcess, admin_key: str) -> AsyncIterator[Admin]:
    async with ClientSession(central.url) as session:
        yield Admin(session, admin_key)
