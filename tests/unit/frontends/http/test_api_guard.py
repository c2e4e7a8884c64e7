"""The guard of the API: names, and foreign pages."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator

import pytest

from agent.access.gate import GateError
from agent.config.settings import ApiSettings
from agent.frontends.http.guard import check_host, check_origin, own_names
from agent.types import DeviceInfo
from tests.support.api import Served, served

NAMES = own_names(DeviceInfo("1", "Living Room", "1"), ApiSettings(allowed_hosts=("cast.home.arpa",)))


@pytest.fixture
async def api() -> AsyncIterator[Served]:
    async with served() as api:
        yield api


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "192.168.1.5:8090",
        "[::1]:8090",
        "[fe80::1]",
        "LocalHost:8090",
        "localhost.",
        socket.gethostname(),
        f"{socket.gethostname().partition('.')[0]}.local:8090",
        "living-room.local",
        "Cast.Home.Arpa:8090",
    ],
)
def test_names_of_the_box(host: str) -> None:
    """Addresses, the host name, `.local` names and the names of the configuration are ours."""
    check_host([host], names=NAMES)


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "", "a b", "[evil]", "localhost@evil", "x:y"]
)
def test_other_names_are_not_answered(host: str) -> None:
    """A name that is not ours may be somebody else's page that was pointed here (DNS rebinding)."""
    with pytest.raises(GateError, match="allowed_hosts") as caught:
        check_host([host], names=NAMES)
    assert caught.value.failure.code == "forbidden_host"


def test_two_hosts_are_not_answered() -> None:
    """Of two Host headers nobody knows which one counts; none at all comes from no browser."""
    with pytest.raises(GateError):
        check_host(["127.0.0.1", "127.0.0.1"], names=NAMES)
    check_host([], names=NAMES)


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("http://box.local:8090", "BOX.local:8090"),
        ("http://192.168.1.5", "192.168.1.5:80"),
        ("https://box.local", "box.local"),
        ("http://[::1]:8090", "[::1]:8090"),
    ],
)
def test_own_pages_may_call(origin: str, host: str) -> None:
    """A page that came from the same host and port may call."""
    check_origin([origin], [host])


@pytest.mark.parametrize(
    "origin",
    [
        "null",
        "",
        "http://evil.example",
        "http://box.local:8091",
        "http://box.local:8090/x",
        "ftp://box.local:8090",
        "http://[x",
    ],
)
def test_foreign_pages_may_not_call(origin: str) -> None:
    """A page of another host or port may not, nor one without an origin of its own."""
    with pytest.raises(GateError) as caught:
        check_origin([origin], ["box.local:8090"])
    assert caught.value.failure.code == "forbidden_origin"


@pytest.mark.parametrize("path", ["/status", "/health", "/snapshot", "/start", "/nothing"])
async def test_foreign_names_and_pages_are_refused_everywhere(api: Served, path: str) -> None:
    """The gate is before every path, also those that are not there."""
    async with api.client.post(path, headers={"Host": "evil.example"}, json={"url": "http://nas/x"}) as answer:
        assert (answer.status, (await answer.json())["code"]) == (403, "forbidden_host")
    async with api.client.post(path, headers={"Origin": "http://evil.example"}, json={"url": "http://x/"}) as answer:
        assert (answer.status, (await answer.json())["code"]) == (403, "forbidden_origin")
    assert not api.tracker.requests


async def test_a_page_of_our_own_is_let_in(api: Served) -> None:
    """A page that was opened from the box may start a stream."""
    headers = {"Origin": f"http://127.0.0.1:{api.port}"}
    async with api.client.post("/start", headers=headers, json={"url": "http://nas/x"}) as answer:
        assert answer.status == 200
