"""Fixtures that several of these files ask for. Each file makes its `shared` agent itself, because each sets it
otherwise."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.agent import Agent
from tests.support.chromium import LIVE, WHOLE, Chromium, Page
from tests.support.clips import Clips
from tests.support.confined import LANDLOCK, NAMESPACE, skip_unless_there
from tests.support.lan import Lan, LanError
from tests.support.leaks import LeakCheck
from tests.support.rtsp_server import RtspServer
from tests.support.screen import Screen
from tests.support.web_pages import WebPages
from tests.support.xserver import XServer


@pytest.fixture
def agent(shared: Agent) -> Iterator[Agent]:
    """The agent of this file, which shows nothing at the beginning of a test."""
    yield shared
    shared.stop(all=True)


@pytest.fixture(scope="session")
def browser(leaks: LeakCheck) -> Iterator[Chromium]:
    """The browser of the whole run: it takes a second or two to start."""
    with Chromium() as browser:
        leaks.own_pids(lambda: browser.pids)
        yield browser


@pytest.fixture
def page(agent: Agent, browser: Chromium) -> Iterator[Page]:
    """The page on the box itself, connected and whole."""
    page = browser.page(agent.base)
    page.wait(f"{LIVE} && {WHOLE}")
    yield page
    page.close()


@pytest.fixture(scope="module")
def cameras(clips: Clips, leaks: LeakCheck) -> Iterator[RtspServer]:
    with leaks.adopting():
        server = RtspServer(clips)
        server.start()
    leaks.own_pids(lambda: server.pids)
    yield server
    server.stop()


@pytest.fixture(scope="module")
def pages(leaks: LeakCheck) -> Iterator[WebPages]:
    server = WebPages()
    with leaks.adopting():
        server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def lan() -> Iterator[Lan]:
    """A network of the test's own, to be found in."""
    try:
        with Lan() as lan:
            yield lan
    except LanError as error:
        pytest.skip(
            "NOT TESTED: whether the agent is found on the LAN. That needs networks of our own: run the tests as root "
            f"({error})"
        )


@pytest.fixture
def screen(xserver: XServer) -> Iterator[Screen]:
    with Screen(xserver.display) as screen:
        yield screen


@pytest.fixture
def mortal() -> Iterator[XServer]:
    """An X server that the test may kill."""
    with XServer() as server:
        yield server


@pytest.fixture(params=[LANDLOCK, NAMESPACE])
def means(request: pytest.FixtureRequest) -> str:
    """Each means of confinement by itself; skipped where the machine does not have it."""
    skip_unless_there(request.param)
    return str(request.param)
