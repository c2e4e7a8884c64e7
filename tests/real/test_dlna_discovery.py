"""The DLNA renderer on the LAN: the real agent, seen from other machines."""

from __future__ import annotations

from tests.support.dlna import SsdpEar, description_status, search
from tests.support.lan import Lan, LanAgent

RENDERER = "urn:schemas-upnp-org:device:MediaRenderer:1"
BOX, HOME, STRANGER = "10.78.0.1", "10.78.0.2", "10.78.0.3"
FOUND_S = 5.0


def test_it_is_found_and_says_goodbye(lan: Lan) -> None:
    """Within FOUND_S of its start by one that waits for it. A search is answered and a call let in of an address that
    may call, and of no other."""
    box, home, stranger = (lan.machine(f"{address}/24", ipv6=False) for address in (BOX, HOME, STRANGER))
    box.ip("addr", "add", "10.78.0.9/24", "dev", "eth0")  # it is told of one address only
    for machine in (home, stranger):
        machine.ip("route", "add", "default", "dev", "eth0")  # as each machine of a LAN has one, for multicast
    with SsdpEar(home, HOME, kind=RENDERER) as ear:
        with LanAgent(box, dlna__enabled=True, dlna__allow=[HOME]) as agent:
            agent.wait_until(lambda: ear.heard, FOUND_S, "it is found")
            location = f"http://{BOX}:8091/description.xml"
            first = ear.heard[0]
            assert (first["nts"], first["st"], first["location"]) == ("ssdp:alive", RENDERER, location)
            assert search(home, HOME, kind=RENDERER) == [location]
            assert search(stranger, STRANGER, kind=RENDERER) == []
            assert (description_status(home, location), description_status(stranger, location)) == (200, 403)
            assert agent.terminate() == 0
        agent.wait_until(lambda: ear.heard[-1]["nts"] == "ssdp:byebye", 5, "it has said goodbye")
