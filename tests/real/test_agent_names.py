"""Names that cannot be looked up: a DNS server that is silent, and what people are told, whichever engine plays."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator

import pytest

from tests.support.agent import Agent
from tests.support.leaks import LeakCheck
from tests.support.xserver import XServer

SILENT = "127.0.0.153"
START_TIMEOUT_S = 3


@pytest.fixture(scope="module")
def silent_dns(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, ...]]:
    """A command after it runs with a DNS server that takes every question and answers none."""
    if os.geteuid() != 0:
        pytest.skip("NOT TRIED: only root can be a DNS server")
    conf = tmp_path_factory.mktemp("dns") / "resolv.conf"
    conf.write_text(f"nameserver {SILENT}\n")
    script = f'mount --bind {conf} "$(realpath /etc/resolv.conf)" && exec "$@"'
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind((SILENT, 53))
        yield ("unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh")


@pytest.fixture(scope="module")
def shared(silent_dns: tuple[str, ...], xserver: XServer, leaks: LeakCheck) -> Iterator[Agent]:
    with Agent(xserver.display, prefix=silent_dns, player__start_timeout=START_TIMEOUT_S) as agent:
        leaks.own_pids(lambda: agent.pids)
        yield agent


@pytest.mark.parametrize(
    "url", ["http://nas.example/film.mp4", "rtsp://door.example/ch0", "rtmp://studio.example/live"]
)
def test_a_silent_dns_server_is_what_people_are_told(agent: Agent, url: str) -> None:
    """People are told the name and the server that does not answer for it, and not the source that nobody could ask."""
    problem = agent.start(url, expect=502)
    host = url.split("/")[2]
    assert problem["code"] == "media_network"
    assert f"The name '{host}' could not be looked up: no answer from the DNS server {SILENT}." in problem["detail"]
