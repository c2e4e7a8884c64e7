"""Discovery on the LAN: the real agent, seen from other machines by Avahi and by python-zeroconf."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path

import pytest

from agent.frontends.esphome.frames import PROTOCOL
from agent.frontends.esphome.key import KeyFile
from agent.types import ESPHOME_PORT
from tests.support.avahi import Avahi, Browse, Sighting
from tests.support.lan import Lan, LanAgent, LanError, Machine, udp_port_taken
from tests.support.leaks import LeakCheck
from tests.support.mdns import PORT, Ear, asked_alone
from tests.support.tools import end, wait_until

NOT_TESTED = "NOT TESTED: whether the agent is found on the LAN. That needs networks of our own: run the tests as root"

CLI = (sys.executable, "-m", "agent.cli")
AGENT, PAGE, ESPHOME = "_cast-agent._tcp", "_http._tcp", "_esphomelib._tcp"

SEEN_S = 10.0
"""Being seen takes 1.2 s, and up to 6 s more where it has to be tried again."""
NEW_ADDRESS_S = 5.0
GOODBYE_S = 5.0
"""The time until it is gone is 1.3 s: a goodbye counts a second later (RFC 6762, 10.1). Without one it would be 75
minutes."""


@pytest.fixture(scope="module")
def other(lan: Lan) -> Machine:
    return lan.machine("10.77.0.2/24", "fd77::2/64")


@pytest.fixture(scope="module")
def avahi(other: Machine, leaks: LeakCheck) -> Iterator[Avahi]:
    with Avahi(other) as avahi:
        leaks.own_pids(lambda: avahi.pids)
        yield avahi


@pytest.fixture
def seen(other: Machine, avahi: Avahi) -> Iterator[Browse]:
    with Browse(other, avahi, AGENT) as seen:
        yield seen


def resolved(name: str) -> Callable[[Sighting], bool]:
    return lambda sighting: sighting.sign == "=" and sighting.name == name


def sighting_of(device_id: str, ip: str | None = None) -> Callable[[Sighting], bool]:
    """The sighting of a name that was used before: Avahi keeps the former holder for a second after its goodbye."""
    return lambda sighting: f"id={device_id}" in sighting.txt and ip in (None, sighting.ip)


def logged(agent: LanAgent, event: str) -> float:
    """The time at which the agent last logged that event, as `time.time()` counts."""
    return datetime.fromisoformat(agent.log(event)[-1]["timestamp"]).timestamp()


def test_seen_and_gone(lan: Lan, other: Machine, avahi: Avahi, seen: Browse) -> None:
    """An agent, its page and its ESPHome service are seen with all that the design promises, over IPv4 and IPv6, and go
    when it ends."""
    box = lan.machine("10.77.0.10/24", "fd77::10/64")
    with (
        LanAgent(box, device__name="Living room 2.0", api__host="::", esphome__enabled=True) as agent,
        Browse(other, avahi, PAGE) as pages,
        Browse(other, avahi, ESPHOME) as nodes,
    ):
        device = agent.status()["device"]
        for ip in ("IPv4", "IPv6"):
            found = seen.wait(sighting_of(device["id"], ip), f"the agent over {ip}", timeout_s=SEEN_S)
            assert (found.name, found.port) == ("Living room 2-0", str(agent.port))
            assert found.txt[0] == "txtvers=1"
            txt = dict(entry.split("=", 1) for entry in found.txt)
            assert txt.pop("md")
            assert txt == {
                "txtvers": "1",
                "id": device["id"],
                "vs": device["version"],
                "api": "1",
                "path": "/",
                "auth": "none",
            }
        page = pages.wait(resolved("Living room 2-0"), "the page", timeout_s=SEEN_S)
        assert (page.port, "path=/" in page.txt) == (str(agent.port), True)
        node = nodes.wait(resolved("living-room-2-0"), "what Home Assistant looks for", timeout_s=SEEN_S)
        assert (node.host, node.port) == ("living-room-2-0.local", str(ESPHOME_PORT))
        txt = dict(entry.split("=", 1) for entry in node.txt)
        assert len(bytes.fromhex(txt["mac"])) == 6
        assert (txt["friendly_name"], txt["api_encryption_supported"]) == ("Living room 2.0", PROTOCOL)
        for host in (found.host, node.host):
            assert avahi.resolve(host) == "10.77.0.10"
            assert avahi.resolve(host, 6) == "fd77::10"
        assert agent.call("GET", "/status", headers={"Host": f"{found.host}:{agent.port}"}).status == 200
        for address in ("10.77.0.10", "[fd77::10]"):
            with other.inside(), urllib.request.urlopen(f"http://{address}:{agent.port}/status", timeout=5) as answer:
                assert answer.status == 200

        found_by_us = json.loads(other.run(*CLI, "discover", "--json", "--timeout", "2"))
        ours = next(one for one in found_by_us if one["id"] == device["id"])
        assert (ours["name"], ours["status"]["device"]["id"]) == ("Living room 2-0", device["id"])
        assert ours["addresses"] == ["10.77.0.10", "fd77::10"]
        assert "30 %" in other.run(*CLI, "volume", "30%", "--on", "living room 2.0")
        assert agent.status()["volume"]["volume_level"] == 0.3

        leaving = time.time()
        assert agent.terminate() == 0
        for browse in (seen, pages, nodes):
            browse.wait(lambda s: s.sign == "-", "it is gone", since=leaving, timeout_s=GOODBYE_S)


def test_addresses_come_and_go(lan: Lan, other: Machine, avahi: Avahi, seen: Browse) -> None:
    """A changed address is announced, with a goodbye for the old one; so is a network that comes late or again."""
    box = lan.machine(up=False, ipv6=False)
    with LanAgent(box, device__name="Roaming", esphome__enabled=True) as agent, Ear(other, "10.77.0.2") as ear:
        agent.wait_until(lambda: agent.log("announcement_postponed"), 10, "it says that there is no network")
        box.ip("addr", "add", "10.77.0.20/24", "dev", "eth0")
        box.ip("link", "set", "eth0", "up")
        found = seen.wait(resolved("Roaming"), "an agent whose network came late", timeout_s=SEEN_S)
        assert found.address == "10.77.0.20"

        wait_until(lambda: avahi.resolve("roaming.local") == "10.77.0.20", timeout_s=SEEN_S, what="the node")
        KeyFile(agent.folder / "state").make()
        with_key = f"api_encryption={PROTOCOL}"

        def has_key() -> bool:
            return any(node.name == "roaming" and with_key in node.txt for node in avahi.known(ESPHOME))

        wait_until(has_key, timeout_s=SEEN_S, what="the word of a key")

        began = time.time()
        box.ip("addr", "add", "10.77.0.21/24", "dev", "eth0")
        box.ip("addr", "del", "10.77.0.20/24", "dev", "eth0")
        wait_until(lambda: avahi.resolve(found.host) == "10.77.0.21", timeout_s=NEW_ADDRESS_S, what="the new address")
        wait_until(lambda: avahi.resolve("roaming.local") == "10.77.0.21", timeout_s=NEW_ADDRESS_S, what="of the node")

        def words() -> list[tuple[str, bool]]:
            ours = (said for said in ear.addresses if said.at > began and said.host.startswith(found.host))
            return [(said.address, said.ttl > 0) for said in ours]

        wait_until(lambda: ("10.77.0.20", False) in words(), timeout_s=NEW_ADDRESS_S, what="a goodbye for the old one")
        wait_until(lambda: words()[-1] == ("10.77.0.21", True), timeout_s=5, what="the new one as the last word")

        box.ip("link", "set", "eth0", "down")
        agent.wait_until(lambda: len(agent.log("announcement_postponed")) == 2, 10, "the network is gone")
        box.ip("link", "set", "eth0", "up")
        agent.wait_until(lambda: len(agent.log("device_announced")) == 2, SEEN_S, "it is announced again")


def test_a_name_that_is_taken(lan: Lan, other: Machine, avahi: Avahi, seen: Browse) -> None:
    """A box whose name is taken gets a number, and keeps its id after it was given another name."""
    publish = [*other.prefix, "avahi-publish", "-s", "Kitchen", AGENT, "1234"]
    box = lan.machine("10.77.0.30/24")
    with LanAgent(box, device__name="Quiet", discovery__enabled=False) as agent:
        assert agent.log("announcement_skipped")
        taken = subprocess.Popen(publish, env=avahi.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            seen.wait(resolved("Kitchen"), "the one whose name it is", timeout_s=SEEN_S)
            device_id = agent.status()["device"]["id"]
            agent.terminate()
            agent.env |= {"CAST_AGENT_DISCOVERY__ENABLED": "true", "CAST_AGENT_DEVICE__NAME": "Kitchen"}
            agent.run(until_spare=False)
            found = seen.wait(sighting_of(device_id), "the one that came second", timeout_s=SEEN_S)
        finally:
            end(taken)
        assert found.name == "Kitchen-2"
        # Seen as soon as it is announced; logged when its page is, too.
        agent.wait_until(lambda: agent.log("name_taken"), SEEN_S, "it says that its name is taken")
        assert agent.log("name_taken")[0]["announced_as"] == "Kitchen-2"


def test_two_of_one_name_that_meet_late(lan: Lan, avahi: Avahi) -> None:
    """Two boxes of one name whose networks are joined when both are announced already end with a name each."""
    boxes = [lan.machine("10.77.0.40/24"), lan.machine("10.77.0.41/24", apart=True)]
    with ExitStack() as running:
        agents = [running.enter_context(LanAgent(box, device__name="Twin", esphome__enabled=True)) for box in boxes]
        for agent in agents:
            agent.wait_until(lambda agent=agent: agent.log("device_announced"), SEEN_S, "it is announced")  # type: ignore[misc]
        assert not any(agent.log("name_taken") for agent in agents)
        lan.join()

        ids = {f"id={agent.status()['device']['id']}" for agent in agents}

        def owner(name: str) -> str:
            last = [s for s in avahi.known(AGENT) if s.name == name][-1:]
            return last[0].txt[1] if last else ""

        wait_until(lambda: {owner("Twin"), owner("Twin-2")} == ids, timeout_s=20, what="a name each")
        # Home Assistant knows them by one name, which does not change by itself: one of them is there no more.
        told = ("service_name_taken", "host_name_duplicated")
        wait_until(
            lambda: any(agent.log(event) for agent in agents for event in told), timeout_s=SEEN_S, what="a warning"
        )


def test_beside_avahi_and_on_a_busy_port(lan: Lan, leaks: LeakCheck, seen: Browse) -> None:
    """The agent shares a machine with Avahi; a port that somebody keeps for himself is waited for."""
    box = lan.machine("10.77.0.50/24")
    taken = udp_port_taken(box, PORT)
    with LanAgent(box, device__name="Neighbour") as agent:
        agent.wait_until(lambda: agent.log("announcement_failed"), 10, "it says that it cannot be announced")
        assert "in use" in agent.log("announcement_failed")[0]["reason"]
        assert agent.status()["status"] == "idle"
        taken.close()
        with Avahi(box, host="neighbour") as avahi:
            seen.wait(resolved("Neighbour"), "the agent from outside", timeout_s=SEEN_S + 5)
            with Browse(box, avahi, AGENT) as at_home:
                at_home.wait(resolved("Neighbour"), "the agent from its own machine", timeout_s=SEEN_S)
        assert [line["level"] for line in agent.log("announcement_failed")].count("warning") == 1


def test_the_door_is_announced_anew(lan: Lan, avahi: Avahi, seen: Browse, tmp_path: Path) -> None:
    """The credentials that a caller needs are announced, and again when they change."""
    door = tmp_path / "door"
    door.write_text("closed")
    with advertising(lan.machine("10.77.0.60/24"), door):
        seen.wait(lambda s: "auth=closed" in s.txt and "id=advertised" in s.txt, "a closed door", timeout_s=SEEN_S)
        door.write_text("key")
        wait_until(
            lambda: any("auth=key" in s.txt for s in avahi.known(AGENT)), timeout_s=SEEN_S, what="a door with a key"
        )


def test_a_copied_box_is_noticed(lan: Lan, tmp_path: Path) -> None:
    """Two boxes of one id, such as a copied card makes them, are told of each other by their logs."""
    door = tmp_path / "door"
    door.write_text("none")
    addresses = ("10.77.0.61", "10.77.0.62")
    with ExitStack() as running:
        logs = [running.enter_context(advertising(lan.machine(f"{address}/24"), door)) for address in addresses]

        def doubles() -> list[str]:
            lines = [json.loads(line) for log in logs for line in log.read_text().splitlines()]
            return sorted(line["address"] for line in lines if line["event"] == "device_id_duplicated")

        wait_until(lambda: len(doubles()) > 0, timeout_s=SEEN_S, what="the warning")
        assert set(doubles()) <= set(addresses)


def test_each_network_is_told_its_own_addresses(leaks: LeakCheck) -> None:
    """A box on two networks tells each the addresses that it has there: in announcements, in answers to everybody, in
    answers to one who asked alone, and in goodbyes."""
    try:
        lan = Lan().__enter__()
    except LanError as error:
        pytest.skip(f"{NOT_TESTED} ({error})")
    with ExitStack() as running:
        running.push(lan.__exit__)
        box = lan.machine("10.77.0.80/24", "fd77::80/64")
        lan.second_card(box, "10.88.0.80/24", "fd88::80/64")
        near, far = lan.machine("10.77.0.81/24"), lan.machine("10.88.0.83/24", apart=True)
        here = running.enter_context(Ear(near, "10.77.0.81"))
        there = running.enter_context(Ear(far, "10.88.0.83"))
        agent = running.enter_context(LanAgent(box, device__name="Between", api__host="::", esphome__enabled=True))
        agent.wait_until(lambda: agent.log("device_announced"), SEEN_S, "it is announced")
        host = agent.log("device_announced")[0]["host"]

        def heard(ear: Ear, host: str = host) -> set[str]:
            return {said.address for said in ear.addresses if said.host == host and said.ttl}

        agent.wait_until(lambda: len(heard(here)) > 1 and len(heard(there)) > 1, SEEN_S, "both networks are told")
        assert heard(here) == {"10.77.0.80", "fd77::80"}
        assert heard(there) == {"10.88.0.80", "fd88::80"}
        for ear in (here, there):
            agent.wait_until(lambda ear=ear: heard(ear, "between.local.") == heard(ear), SEEN_S, "the node")  # type: ignore[misc]
        assert asked_alone(near, "10.77.0.81", host) == heard(here)
        assert asked_alone(far, "10.88.0.83", host) == heard(there)

        changed = time.time()
        box.ip("addr", "add", "10.88.0.82/24", "dev", "eth1")
        box.ip("addr", "del", "10.88.0.80/24", "dev", "eth1")
        agent.wait_until(lambda: "10.88.0.82" in heard(there), SEEN_S, "the new address is told")
        agent.wait_until(
            lambda: any(said.address == "10.88.0.80" and not said.ttl for said in there.addresses),
            SEEN_S,
            "a goodbye to the old one",
        )
        assert agent.terminate() == 0
        assert not [said for said in here.addresses if said.at > changed and said.address.startswith("10.88.")]
        assert {said.address for said in there.addresses if said.at > changed and not said.ttl} >= {"10.88.0.82"}


@contextmanager
def advertising(machine: Machine, door: Path) -> Iterator[Path]:
    """The advertiser alone; its log."""
    log = door.with_name(f"{machine.name}.log")
    with log.open("wb") as stream:
        command = [*machine.prefix, sys.executable, "-m", "tests.support.advertise", str(door)]
        advertiser = subprocess.Popen(command, stderr=stream)
    try:
        yield log
    finally:
        end(advertiser)


def test_only_the_lan(lan: Lan) -> None:
    """Bridges of containers and passing addresses are nobody's way to the box, unless they are named."""
    box = lan.machine("10.77.0.70/24", "fd77::70/64")
    box.ip("addr", "add", "fd77::71/64", "dev", "eth0", "preferred_lft", "0")  # deprecated
    box.ip("link", "add", "veth1", "type", "veth", "peer", "name", "veth2")
    box.ip("link", "add", "docker0", "type", "bridge")
    box.ip("link", "set", "veth1", "master", "docker0", "up")
    for number, name in enumerate(("docker0", "veth2")):
        box.ip("addr", "add", f"172.17.{number}.1/24", "dev", name)
        box.ip("link", "set", name, "up")
    script = (
        "import sys; from agent.discovery.interfaces import lan_interfaces\n"
        "for i in lan_interfaces(sys.argv[1:]): print(i.name, *i.announced)"
    )
    python = [sys.executable, "-c", script]
    assert box.run(*python).split("\n") == ["eth0 10.77.0.70 fd77::70", ""]
    assert box.run(*python, "docker0").startswith("docker0 172.17.0.1")
