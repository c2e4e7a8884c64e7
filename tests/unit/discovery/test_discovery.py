"""The announcements, their interfaces, and the proof that no failure of them is ever fatal."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import replace
from ipaddress import IPv4Network, ip_address
from pathlib import Path

import ifaddr
import pytest

from agent.config.settings import DiscoverySettings
from agent.discovery import advertiser as advertising
from agent.discovery.advertiser import Advertiser
from agent.discovery.interfaces import Interface, lan_interfaces
from agent.discovery.records import label, services, wanted_names
from agent.host.identity import host_name
from agent.types import Auth, DeviceInfo, LanService
from tests.support.tools import until

DEVICE = DeviceInfo("4f7c2a0e-6f0b-4c9e-9d55-0d8f3f6c1b7a", "Living room", "1.2.3")
LAN = Interface("eth0", (ip_address("192.168.1.5"), ip_address("fd00::5"), ip_address("fe80::5")))
BROADCAST_CARD = 0x1003


# --- what is announced ---


def test_what_is_announced_fits_everywhere() -> None:
    """Whatever a device is called, its name fits a label with a number behind it, and its TXT record a packet."""
    for name in ("Living room", "x" * 63, "Wohnzimmer im ersten Stock, ganz hinten links \N{TELEVISION}" * 2, "..."):
        short = label(name)
        assert 0 < len(f"{short}-99".encode()) <= 63
        assert "." not in short
    device = DeviceInfo("i" * 64, "x" * 63, "10.20.30")
    agent, page = services(
        device, names=wanted_names(device), port=8090, addresses=LAN.announced, auth=Auth.CLOSED, model="m" * 63
    )
    assert agent.text.startswith(b"\x09txtvers=1")
    assert len(agent.text) <= 400
    assert agent.server == page.server == f"{host_name(device.id)}."


def test_a_host_name_is_of_the_id() -> None:
    """The host name is a valid label for any id, the same for the same id, and another for another."""
    names = {host_name(device_id) for device_id in ("kitchen_1", "kitchen-1", "Kitchen.1", DEVICE.id)}
    assert len(names) == 4
    assert all(name.removesuffix(".local").replace("-", "").isalnum() for name in names)
    assert host_name(DEVICE.id) == host_name(DEVICE.id)


def test_link_local_addresses_are_a_last_resort() -> None:
    """An address that holds only on its cable is announced where there is no other."""
    assert [str(a) for a in LAN.announced] == ["192.168.1.5", "fd00::5"]
    alone = Interface("eth0", (ip_address("169.254.7.7"), ip_address("fe80::5")))
    assert alone.announced == alone.addresses


# --- interfaces ---


class Machine:
    """A machine with one card; its kernel is a folder."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self._patch = monkeypatch

    def found(self, name: str, *, flags: int = BROADCAST_CARD, carrier: str = "1", named: Collection[str] = ()) -> bool:
        device = self.folder / name.partition(":")[0]
        device.mkdir(exist_ok=True)
        (device / "flags").write_text(f"{flags:#x}\n")
        (device / "carrier").write_text(f"{carrier}\n")
        ips = [ifaddr.IP("10.0.0.5", 24, name), ifaddr.IP(("fd00::5", 0, 0), 64, name)]
        adapter = ifaddr.Adapter(name, name, ips, index=2)
        self._patch.setattr(ifaddr, "get_adapters", lambda: [adapter])
        interfaces = lan_interfaces(named, sys_net=self.folder, if_inet6=self.folder / "if_inet6")
        return bool(interfaces)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(tmp_path, monkeypatch)


def test_cards_lead_to_the_lan(machine: Machine) -> None:
    """A network card is a way to the LAN while it is up and has a link."""
    assert machine.found("eth0")
    assert machine.found("wlp3s0")
    assert machine.found("eth0:1"), "a label"
    assert not machine.found("eth0", carrier="0")
    assert not machine.found("eth0", flags=BROADCAST_CARD & ~1)


@pytest.mark.parametrize("flags", [0x9, 0x10D1, 0x91, 0x10C3], ids=["loopback", "tun", "wireguard", "dummy"])
def test_tunnels_do_not(machine: Machine, flags: int) -> None:
    """Loopback, tunnels and dummies are known by their flags, unless they are asked for by name."""
    assert not machine.found("any0", flags=flags)
    assert machine.found("any0", flags=flags, named=["any0"])
    assert not machine.found("any0", flags=BROADCAST_CARD, named=["other0"])


def test_taps_do_not(machine: Machine) -> None:
    """An Ethernet that some program makes is not the LAN."""
    (machine.folder / "tap0").mkdir()
    (machine.folder / "tap0" / "tun_flags").touch()
    assert not machine.found("tap0")


def test_bridges_do_when_a_card_is_in_them(machine: Machine) -> None:
    """A bridge between containers is not the LAN; one with a card in it is."""
    for part in ("br0/bridge", "br0/brif/veth1", "br0/brif/eth0", "veth1", "eth0"):
        (machine.folder / part).mkdir(parents=True)
    assert not machine.found("br0")
    (machine.folder / "eth0" / "device").mkdir()
    assert machine.found("br0")


def test_ipv6_addresses_that_will_not_last_are_left_out(machine: Machine) -> None:
    """A temporary, deprecated or tentative IPv6 address is not told to anybody."""
    for flags, count in (("80", 2), ("01", 1), ("20", 1), ("40", 1)):
        (machine.folder / "if_inet6").write_text(f"fd000000000000000000000000000005 02 40 00 {flags}     eth0\n")
        assert machine.found("eth0")
        interfaces = lan_interfaces(sys_net=machine.folder, if_inet6=machine.folder / "if_inet6")
        assert len(interfaces[0].addresses) == count
        assert interfaces[0].networks == (IPv4Network("10.0.0.0/24"),)


# --- the advertiser ---


class FakeAnnouncement:
    """Notes what it is told; `fails` are the errors of the next ones to begin."""

    fails: list[Exception]
    made: list[FakeAnnouncement]
    end_hangs = False

    def __init__(self, device: DeviceInfo, **_: object) -> None:
        self.said: list[tuple[tuple[Interface, ...], Auth]] = []
        self.ended = False
        self.named = True
        FakeAnnouncement.made.append(self)

    async def begin(self, interfaces: tuple[Interface, ...], auth: Auth, others: tuple[LanService, ...]) -> None:
        if self.fails:
            raise self.fails.pop(0)
        self.said.append((interfaces, auth))
        self.shown = [others]

    async def show(self, others: tuple[LanService, ...], interfaces: tuple[Interface, ...]) -> None:
        self.shown.append(others)

    async def update(self, interfaces: tuple[Interface, ...], auth: Auth) -> None:
        self.said.append((interfaces, auth))

    async def keeps_name(self) -> bool:
        return self.named

    async def end(self) -> None:
        if self.end_hangs:
            await asyncio.sleep(3600)
        self.ended = True


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[FakeAnnouncement]:
    FakeAnnouncement.fails, FakeAnnouncement.made, FakeAnnouncement.end_hangs = [], [], False
    monkeypatch.setattr(advertising, "Announcement", FakeAnnouncement)
    monkeypatch.setattr(advertising, "lan_interfaces", lambda named: (LAN,))
    monkeypatch.setattr(advertising, "LOOK_AGAIN_S", 0.02)
    monkeypatch.setattr(advertising, "GOODBYE_TIMEOUT_S", 0.2)
    return FakeAnnouncement.made


def make(auth: Auth = Auth.NONE, **settings: object) -> Advertiser:
    return Advertiser(device=DEVICE, settings=DiscoverySettings(**settings), auth=lambda: auth)  # type: ignore[arg-type]


async def test_only_what_is_listened_on_is_announced(made: list[FakeAnnouncement]) -> None:
    """Addresses that the API does not listen on are not announced."""
    for listening, announced in (
        ([("0.0.0.0", 8090)], ["192.168.1.5"]),
        ([("0.0.0.0", 8090), ("::", 8090, 0, 0)], ["192.168.1.5", "fd00::5"]),
        ([("fd00::5", 8090, 0, 0)], ["fd00::5"]),
    ):
        advertiser = make()
        advertiser.start(listening)
        await until(lambda: made and made[-1].said)
        await advertiser.stop()
        (interfaces, _) = made.pop().said[0]
        assert [str(a) for i in interfaces for a in i.announced] == announced


async def test_a_box_for_itself_is_not_announced(made: list[FakeAnnouncement]) -> None:
    """Nothing is announced of an API that only this machine reaches, nor when it is switched off."""
    for advertiser, host in ((make(), "127.0.0.1"), (make(), "::1"), (make(enabled=False), "0.0.0.0")):
        advertiser.start([(host, 8090)])
        await asyncio.sleep(0.05)  # the others are announced at once
        await advertiser.stop()
    assert made == []


async def test_what_fails_is_tried_again(made: list[FakeAnnouncement]) -> None:
    """A port that is taken, or a mistake in the library, ends in another try."""
    FakeAnnouncement.fails = [OSError(98, "Address already in use"), KeyError("a mistake")]
    advertiser = make()
    advertiser.start([("0.0.0.0", 8090)])
    await until(lambda: len(made) == 3 and made[2].said)
    assert [announcement.ended for announcement in made] == [True, True, False]
    await advertiser.stop()
    assert made[2].ended


async def test_a_lost_name_means_a_new_announcement(made: list[FakeAnnouncement]) -> None:
    """An agent that has lost its name begins anew, with another."""
    advertiser = make()
    advertiser.start([("0.0.0.0", 8090)])
    await until(lambda: made and made[0].said)
    made[0].named = False
    await until(lambda: len(made) == 2 and made[1].said)
    assert made[0].ended
    await advertiser.stop()


async def test_other_services_are_announced_as_they_come_and_change(made: list[FakeAnnouncement]) -> None:
    """They are announced beside the agent, and the agent's own words are not said again."""
    others: list[LanService] = []
    advertiser = Advertiser(
        device=DEVICE, settings=DiscoverySettings(), auth=lambda: Auth.NONE, others=lambda: tuple(others)
    )
    advertiser.start([("0.0.0.0", 8090)])
    await until(lambda: made and made[0].said)
    others.append(LanService("_other._tcp", "living-room", 1234, (("moved", "1"),), "Rename it."))
    await until(lambda: made[0].shown == [(), tuple(others)])
    others[0] = replace(others[0], txt=(("moved", "2"),))
    await until(lambda: made[0].shown[2:] == [tuple(others)])
    assert len(made[0].said) == 1
    await advertiser.stop()


async def test_the_end_is_not_waited_for_without_end(made: list[FakeAnnouncement]) -> None:
    """A goodbye that cannot be said holds nobody up."""
    FakeAnnouncement.end_hangs = True
    advertiser = make()
    advertiser.start([("0.0.0.0", 8090)])
    await until(lambda: made and made[0].said)
    async with asyncio.timeout(2):
        await advertiser.stop()
        await advertiser.stop()
