"""Web pages that are logged in, in the real browser: each way in, what becomes of it, and who never gets the secret."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.player.chromium.command import is_installed
from tests.support.agent import Agent
from tests.support.leaks import LeakCheck
from tests.support.login_pages import TOKEN_NAME, LoginPages, Stranger
from tests.support.looking import wait_colour
from tests.support.recorder import ScreenRecorder
from tests.support.screen import Screen
from tests.support.xserver import XServer

pytestmark = pytest.mark.skipif(
    not is_installed(), reason="NOT TRIED: no Chromium here; scripts/setup.sh test installs it"
)

REVOKED_S = 2.0
"""The time from a revocation to the error."""

WALLS = ("header+cookie", "basic+local-storage", "home-assistant")
"""The kinds of log-ins."""

FIELDS = {
    "header": {"name": TOKEN_NAME},
    "basic": {"user": "user"},
    "cookie": {"name": TOKEN_NAME},
    "local-storage": {"name": TOKEN_NAME},
    "home-assistant": {},
}


@pytest.fixture(scope="module")
def other(leaks: LeakCheck) -> Iterator[Stranger]:
    server = Stranger()
    with leaks.adopting():
        server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def servers(other: Stranger, leaks: LeakCheck) -> Iterator[dict[str, LoginPages]]:
    """One server for each kind."""
    found = {kinds: LoginPages(other) for kinds in WALLS}
    with leaks.adopting():
        for server in found.values():
            server.start()
    yield found
    for server in found.values():
        server.stop()


@pytest.fixture(scope="module")
def secret_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("secrets")


@pytest.fixture(scope="module")
def shared(xserver: XServer, servers: dict[str, LoginPages], secret_files: Path, leaks: LeakCheck) -> Iterator[Agent]:
    entries = [
        {"origin": servers[kinds].url(""), "kind": kind, "secret_file": str(secret_files / kinds), **FIELDS[kind]}
        for kinds in WALLS
        for kind in kinds.split("+")
    ]
    with Agent(xserver.display, audio__output="none", env={"CAST_AGENT_LOGIN": json.dumps(entries)}) as agent:
        leaks.own_pids(lambda: agent.pids)
        yield agent


@pytest.fixture(autouse=True)
def _fresh(servers: dict[str, LoginPages], secret_files: Path, other: Stranger) -> None:
    """Have each server take what its file says."""
    for kinds, server in servers.items():
        (secret_files / kinds).write_text(f"{server.renew()}\n")
        server.failures = 0
        server.lines.clear()
    other.heard.clear()


def wall(server: LoginPages, kinds: str) -> str:
    return server.url("/home/green" if kinds == "home-assistant" else f"/wall/{kinds}/green")


@pytest.mark.parametrize("kinds", WALLS)
def test_a_page_is_logged_in_until_that_is_revoked(
    agent: Agent,
    servers: dict[str, LoginPages],
    other: Stranger,
    screen: Screen,
    xserver: XServer,
    leaks: LeakCheck,
    secret_files: Path,
    kinds: str,
) -> None:
    """No other origin hears of the secret; its end is an error, and no form is seen."""
    server = servers[kinds]
    secret = server.token
    agent.show_page(wall(server, kinds))
    wait_colour(screen, "green", timeout_s=0.5)
    agent.wait_state("playing")
    if kinds == "home-assistant":
        buffers_while_away(agent, server, screen, leaks)
    else:
        agent.wait_until(lambda: server.asked["/data"] >= 2, 5, "it asks for its data")
        agent.wait_until(lambda: len(server.lines) == 2, 5, "the page and the frame have opened their websockets")
        frames = other.url("").replace("127.0.0.1", "localhost")
        assert server.lines == {server.url(""): "header" in kinds, frames: False}
        places = {"/frame", "/of-the-frame", "/answered", "/image", "/redirected", "/line"}
        agent.wait_until(lambda: other.heard.keys() >= places, 5, "all that leads elsewhere was asked for")
    assert not any(secret in heard for heard in other.heard.values())
    assert server.failures <= (1 if "basic" in kinds else 0)  # it asks for the password once
    if "header" in kinds:
        takes_new_secret(agent, server, secret_files / kinds, xserver)
    before = server.failures
    with ScreenRecorder(xserver.display) as recorder:
        server.renew()
        server.drop()
        agent.wait_until(lambda: agent.status()["stream"] is None, REVOKED_S, "the log-in has ended")
        failures = server.failures
        recording = recorder.stop()
    last = agent.status()["last"]
    assert (last["reason"], last["error"]["code"]) == ("failed", "page_login")
    assert f"[[login]] for {server.url('')}" in last["error"]["message"]
    assert "orange" not in recording.colours()
    assert (server.failures, failures - before <= 2) == (failures, True)
    assert secret not in json.dumps([agent.log(), agent.status(), agent.call("GET", "/settings").json])


def test_a_page_whose_websocket_has_a_header_buffers_while_its_server_is_away(
    agent: Agent, servers: dict[str, LoginPages], screen: Screen, leaks: LeakCheck
) -> None:
    """Although Chromium does not say why that fails."""
    server = servers["header+cookie"]
    agent.show_page(server.url("/live/green"))
    agent.wait_state("playing")
    buffers_while_away(agent, server, screen, leaks)
    agent.stop(all=True)


def test_views_of_home_assistant_follow_one_another_without_a_reload(
    agent: Agent, servers: dict[str, LoginPages], xserver: XServer, screen: Screen
) -> None:
    """One browser loads one page; where the page is to be scrolled, each view is loaded."""
    server = servers["home-assistant"]
    server.asked.clear()
    turns = {"seconds": 2, "then": [{"url": server.url("/home/blue")}]}
    agent.show_page(server.url("/home/green"), page=turns)
    pid = agent.player_pid()
    with ScreenRecorder(xserver.display) as recorder:
        for colour in ("green", "blue", "green", "blue"):
            wait_colour(screen, colour, timeout_s=5)
        recording = recorder.stop()
    assert recording.colours() == ["green", "blue", "green", "blue"]
    assert (agent.player_pid(), server.asked["/home/green"], server.asked["/home/blue"]) == (pid, 1, 0)
    agent.wait_state("playing")
    agent.show_page(server.url("/home/green"), page={**turns, "scroll": 0})
    agent.wait_until(lambda: server.asked["/home/blue"], 10, "it is loaded")
    agent.stop(all=True)


def buffers_while_away(agent: Agent, server: LoginPages, screen: Screen, leaks: LeakCheck) -> None:
    """Its picture stays while its server is away, and it connects again with the same token."""
    server.pause()
    agent.wait_state("buffering")
    assert screen.colour_at_centre() == "green"
    with leaks.adopting():
        server.start()
    agent.wait_state("playing")


def takes_new_secret(agent: Agent, server: LoginPages, file: Path, xserver: XServer) -> None:
    """A secret that the file has when the old one is refused is taken: the session goes on, and its picture stays."""
    session, opened = agent.status()["stream"]["session_id"], len(agent.log("stream_opened"))
    with ScreenRecorder(xserver.display) as recorder:
        file.write_text(renewed := f"{server.token}-renewed")
        server.token = renewed
        agent.wait_until(lambda: len(agent.log("stream_opened")) > opened, 5, "it is loaded with the new one")
        assert agent.wait_state("playing")["session_id"] == session
        recording = recorder.stop()
    assert recording.colours() == ["green"]
