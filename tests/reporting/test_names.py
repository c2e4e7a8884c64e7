"""Names in `.local` that the system does not know, in addresses of the central API and of webhooks."""

from __future__ import annotations

import socket

import pytest

from agent.reporting.http.resolver import Names, PublicAddressError

FOUND = {"hub.local": "10.0.0.7", "six.local": "fd00::7", "far.local": "8.8.8.8"}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    def unknown(host: str, *args: object, **more: object) -> list[object]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    return []


def made(asked: list[str], *, private_only: bool = True) -> Names:
    async def find(host: str) -> str:
        asked.append(host)
        return FOUND.get(host, "")

    return Names(private_only=private_only, find_local=find)


async def test_mdns_is_asked_for_what_the_system_does_not_know(asked: list[str]) -> None:
    """The host keeps its name, for the server and for its certificate; only the address is another's word."""
    [result] = await made(asked).resolve("Hub.local", 8123)
    assert (result["hostname"], result["host"], result["port"]) == ("Hub.local", "10.0.0.7", 8123)
    [result] = await made(asked).resolve("six.local", 80, socket.AF_UNSPEC)
    assert (result["host"], result["family"]) == ("fd00::7", socket.AF_INET6)
    assert asked == ["hub.local", "six.local"]


async def test_an_address_of_the_internet_is_refused_whoever_names_it(asked: list[str]) -> None:
    """Without TLS nothing may be said to it."""
    with pytest.raises(PublicAddressError):
        await made(asked).resolve("far.local", 80)


async def test_other_names_are_none_of_its_business(asked: list[str]) -> None:
    """They fail as they always did, as does a name that nobody has."""
    for host in ("hub.example", "nobody.local"):
        with pytest.raises(OSError, match="not known"):
            await made(asked).resolve(host, 80)
    assert asked == ["nobody.local"]
