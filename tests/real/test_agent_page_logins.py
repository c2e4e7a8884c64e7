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
"""From a revocation to the error."""

KINDS = {
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
    """One for each kind."""
    found = {kind: LoginPages(other) for kind in KINDS}
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
        {"origin": servers[kind].url(""), "kind": kind, "secret_file": str(secret_files / kind), **more}
        for kind, more in KINDS.items()
    ]
    with Agent(xserver.display, audio__output="none", env={"CAST_AGENT_LOGIN": json.dumps(entries)}) as agent:
        leaks.own_pids(lambda: agent.pids)
        yield agent


@pytest.fixture(autouse=True)
def _fresh(servers: dict[str, LoginPages], secret_files: Path, other: Stranger) -> None:
    """Each server takes what its file says."""
    for kind, server in servers.items():
        (secret_files / kind).write_text(f"{server.renew()}\n")
        server.failures = 0
    other.heard.clear()


def wall(server: LoginPages, kind: str) -> str:
    return server.url("/home/green" if kind == "home-assistant" else f"/wall/{kind}/green")


@pytest.mark.parametrize("kind", KINDS)
def test_a_page_is_logged_in_until_that_is_revoked(
    agent: Agent,
    servers: dict[str, LoginPages],
    other: Stranger,
    screen: Screen,
    xserver: XServer,
    leaks: LeakCheck,
    kind: str,
) -> None:
    """No other origin hears of the secret; its end is an error, and no form is seen."""
    server = servers[kind]
    secret = server.token
    agent.show_page(wall(server, kind))
    wait_colour(screen, "green", timeout_s=0.5)
    agent.wait_state("playing")
    if kind == "home-assistant":
        buffers_while_away(agent, server, screen, leaks)
    else:
        agent.wait_until(lambda: server.asked["/data"] >= 2, 5, "it asks for its data")
        places = {"/frame", "/of-the-frame", "/answered", "/image", "/redirected", "/line"}
        agent.wait_until(lambda: other.heard.keys() >= places, 5, "all that leads elsewhere was asked for")
    assert not any(secret in heard for heard in other.heard.values())
    before = server.failures
    assert before <= (2 if kind == "basic" else 0)  # it asks for the password, in each of its folders
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


def buffers_while_away(agent: Agent, server: LoginPages, screen: Screen, leaks: LeakCheck) -> None:
    """Its picture stays, and it connects again with the same token."""
    server.pause()
    agent.wait_state("buffering")
    assert screen.colour_at_centre() == "green"
    with leaks.adopting():
        server.start()
    agent.wait_state("playing")


def test_a_secret_that_is_renewed_is_taken_at_once(
    agent: Agent, servers: dict[str, LoginPages], secret_files: Path, xserver: XServer
) -> None:
    """The session goes on, and its picture stays. A wrong one fails at the start, and what is on stays on."""
    server, file = servers["header"], secret_files / "header"
    session = agent.show_page(wall(server, "header"))["session_id"]
    agent.wait_state("playing")
    opened = len(agent.log("stream_opened"))
    with ScreenRecorder(xserver.display) as recorder:
        file.write_text(server.renew())
        agent.wait_until(lambda: len(agent.log("stream_opened")) > opened, 5, "it is loaded with the new one")
        assert agent.wait_state("playing")["session_id"] == session
        recording = recorder.stop()
    assert recording.colours() == ["green"]
    servers["cookie"].renew()
    problem = agent.show_page(wall(servers["cookie"], "cookie"), expect=502)
    assert (problem["code"], "asks for a password" in problem["detail"]) == ("page_login", True)
    assert agent.wait_state("playing")["session_id"] == session
