"""The DLNA renderer on the LAN: the real agent, seen from other machines."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.support.dlna import SsdpEar, description_status, search
from tests.support.lan import Lan, LanAgent

RENDERER = "urn:schemas-upnp-org:device:MediaRenderer:1"
BOX, HOME, STRANGER = "10.78.0.1", "10.78.0.2", "10.78.0.3"
FOUND_S = 5.0

GUPNP = Path(__file__).parents[1] / "support" / "gupnp_controller.py"
SYSTEM_PYTHON = "/usr/bin/python3"


def test_it_is_found_and_says_goodbye(lan: Lan) -> None:
    """A controller that waits for it sees it within FOUND_S of its start. Only an address that may call gets an answer
    to its search, and is let in."""
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


def test_a_controller_of_another_library_uses_it(lan: Lan) -> None:
    """GUPnP finds it by a search, reads its descriptions, is told how it is and what changes, and sets its volume."""
    look = [SYSTEM_PYTHON, "-c", "import gi; gi.require_version('GUPnP', '1.6')"]
    try:
        subprocess.run(look, check=True, stderr=subprocess.DEVNULL, timeout=FOUND_S)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("NOT TESTED: GUPnP as a DLNA controller. Install it: apt-get install python3-gi gir1.2-gupnp-1.6")
    box, home = (lan.machine(f"{address}/24", ipv6=False) for address in ("10.78.0.11", "10.78.0.12"))
    home.ip("route", "add", "default", "dev", "eth0")
    with LanAgent(box, device__name="Hall", dlna__enabled=True, dlna__allow=["10.78.0.12"]):
        seen = json.loads(home.run(SYSTEM_PYTHON, str(GUPNP), "eth0", timeout_s=15))
    location = "http://10.78.0.11:8091/description.xml"
    assert seen == {"events": 2, "name": "Hall screen", "location": location, "volume": 40}
