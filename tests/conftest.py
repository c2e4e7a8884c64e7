"""The bench: a media server, a screen and a loudspeaker for every test that asks, and a check that nothing leaks."""

from __future__ import annotations

import gc
import inspect
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import structlog

from tests.support.clips import Clips
from tests.support.dead_share import DeadShare
from tests.support.leaks import LeakCheck, no_tasks_left
from tests.support.media_server import MediaServer
from tests.support.order import Spread
from tests.support.reruns import TooManyReruns
from tests.support.sound import PulseServer
from tests.support.xserver import XServer

_LEAKS = pytest.StashKey[LeakCheck]()
_SERVER = pytest.StashKey[MediaServer]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_LEAKS] = LeakCheck()
    config.pluginmanager.register(TooManyReruns())
    config.pluginmanager.register(Spread())
    # What structlog does by itself is made for people: colours, and tracebacks with all variables.
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.format_exc_info,
            structlog.processors.KeyValueRenderer(key_order=["level", "event"]),
        ]
    )


def pytest_collection_finish() -> None:
    """Take what was collected from the garbage collector: a look through it stops a process of tests for a second, in
    which it answers nobody."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def leaks(request: pytest.FixtureRequest) -> LeakCheck:
    """The check to which a long-lived fixture reports the things that it owns."""
    return request.config.stash[_LEAKS]


@pytest.fixture(scope="session")
def clips() -> Clips:
    """Test media; made at the first use, in some seconds, and kept."""
    made = Clips()
    made.make_all()
    return made


@pytest.fixture(scope="session")
def media_server(request: pytest.FixtureRequest, clips: Clips, leaks: LeakCheck) -> Iterator[MediaServer]:
    """One server for the run; what a test made it do is forgotten at the test's end."""
    server = MediaServer(clips)
    with leaks.adopting():
        server.start()
    leaks.own_descriptors(server.sockets)
    request.config.stash[_SERVER] = server
    yield server
    server.stop()


@pytest.fixture
def dead_share() -> Iterator[Path]:
    """A folder that does not answer; skips the test where nothing may be mounted."""
    with ExitStack() as mounted:
        try:
            folder = mounted.enter_context(DeadShare())
        except OSError as error:
            pytest.skip(f"NOT TRIED: a dead share cannot be mounted here ({error.strerror}); root can")
        yield folder


@pytest.fixture(scope="module")
def xserver(leaks: LeakCheck) -> Iterator[XServer]:
    """A screen of 640x360 that can grow to 1280x720."""
    with XServer(largest=(1280, 720)) as server:
        leaks.own_pids(lambda: server.pids)
        yield server


@pytest.fixture(scope="module")
def pulse(leaks: LeakCheck) -> Iterator[PulseServer]:
    """A sound server with a recorded loudspeaker."""
    with PulseServer() as server:
        leaks.own_pids(lambda: server.pids)
        yield server


@pytest.fixture(autouse=True)
def _logs_as_before() -> Iterator[None]:
    """Restore the logging of the process: a level that one test sets hides nothing from the next one."""
    before = structlog.get_config()
    yield
    structlog.configure(**before)


@pytest.fixture(autouse=True)
def _no_leaks(request: pytest.FixtureRequest, leaks: LeakCheck) -> Iterator[None]:
    """First of a test's own fixtures, so its end comes after theirs; wider ones are there before and stay."""
    with leaks.watching():
        yield
        if _SERVER in request.config.stash:
            request.config.stash[_SERVER].reset()


@pytest.fixture(autouse=True)
def _no_leaked_tasks(request: pytest.FixtureRequest, _no_leaks: None) -> None:
    if inspect.iscoroutinefunction(getattr(request.node, "obj", None)):
        request.getfixturevalue("_tasks_end")


@pytest.fixture
async def _tasks_end() -> AsyncIterator[None]:
    async with no_tasks_left():
        yield
