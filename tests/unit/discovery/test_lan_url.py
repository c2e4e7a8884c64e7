"""The address that people are told."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from agent.discovery import interfaces
from agent.discovery.interfaces import Interface, lan_url

V4, V6 = "192.168.1.20", "fd00::20"


@pytest.mark.parametrize(
    ("host", "there", "url"),
    [
        ("0.0.0.0", [V4], "http://192.168.1.20:8090"),
        ("0.0.0.0", [V6], None),
        ("0.0.0.0", [], None),
        ("::", [V6], "http://[fd00::20]:8090"),
        ("::", [V6, V4], "http://192.168.1.20:8090"),
        ("192.168.7.1", [V4], "http://192.168.7.1:8090"),
        ("tv.home.example", [V4], "http://tv.home.example:8090"),
        ("127.0.0.1", [V4], None),
        ("localhost", [V4], None),
        ("::1", [V6], None),
    ],
)
def test_it_is_one_that_others_reach(
    monkeypatch: pytest.MonkeyPatch, host: str, there: list[str], url: str | None
) -> None:
    """A server that listens everywhere is reached at the address of the LAN; one that listens on this machine alone,
    nowhere."""
    found = tuple(Interface(f"eth{n}", (ip_address(address),)) for n, address in enumerate(there))
    monkeypatch.setattr(interfaces, "lan_interfaces", lambda named: found)
    assert lan_url(host, 8090) == url
