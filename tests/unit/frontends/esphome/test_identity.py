"""The identity by which Home Assistant knows the box."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path

import pytest

from agent.frontends.esphome.identity import (
    IDENTITY_FILE,
    EspHomeIdentity,
    IdentityFile,
    chosen,
    is_wireless,
    node_name,
)

MAC = "0011223a2a1c"
BOX = {"device_id": "box-1", "device_name": "Living room"}


def cards(folder: Path, **macs: str) -> Path:
    """A /sys/class/net with these cards; those whose name begins with `w` are wireless, with `br` no hardware."""
    for name, mac in macs.items():
        device = folder / "net" / name
        device.mkdir(parents=True)
        (device / "address").write_text(f"{mac}\n")
        if not name.startswith("br"):
            (device / "device").mkdir()
        if name.startswith("w"):
            (device / "wireless").mkdir()
    return folder / "net"


@pytest.mark.parametrize(
    ("macs", "found"),
    [
        ({"wlan0": "00:11:22:33:44:55", "eth0": "b8:27:eb:00:00:01"}, "b827eb000001"),
        ({"wlan0": "00:11:22:33:44:55", "br0": "b8:27:eb:00:00:01"}, "001122334455"),
        ({"eth0": "02:11:22:33:44:55", "wlan0": "b8:27:eb:00:00:01"}, "b827eb000001"),
    ],
)
def test_the_address_is_that_of_a_network_card(tmp_path: Path, macs: dict[str, str], found: str) -> None:
    """A wired card comes before a wireless one, and one that software has made up does not count."""
    assert chosen(**BOX, sys_net=cards(tmp_path, **macs)).mac == found


def test_without_a_card_the_address_is_made_of_the_id(tmp_path: Path) -> None:
    """The same each time, of this box alone, and marked as made up."""
    made = chosen(**BOX, sys_net=tmp_path)
    assert made == chosen(**BOX, sys_net=tmp_path)
    assert made.mac != chosen(device_id="box-2", device_name="Living room", sys_net=tmp_path).mac
    assert int(made.mac[:2], 16) & 0x03 == 0x02


def test_the_network_is_wireless_where_no_cable_can_be(tmp_path: Path) -> None:
    assert is_wireless(cards(tmp_path / "1", wlan0="00:11:22:33:44:55"))
    assert not is_wireless(cards(tmp_path / "2", wlan0="00:11:22:33:44:55", eth0="00:11:22:33:44:56"))
    assert not is_wireless(tmp_path / "3")


@pytest.mark.parametrize(
    ("device", "node"),
    [
        ("Living room", "living-room"),
        ("Küche (groß)", "kuche-gross"),
        ("The screen above the fireplace of the lodge", "the-screen-above-the-fireplace"),
        ("居間", "cast-agent-3a2a1c"),
        ("raspberrypi", "raspberrypi-3a2a1c"),
        ("Raspberrypi", "raspberrypi-3a2a1c"),
    ],
)
def test_the_node_name_is_made_of_the_device_name(device: str, node: str) -> None:
    """It is a host name, and never that of the machine, which is announced by others."""
    assert node_name(device, MAC, host="raspberrypi.lan") == node
    assert len(node) <= 31


def test_the_identity_outlives_a_rename_and_another_card(tmp_path: Path) -> None:
    """Entities and actions keep their ids in Home Assistant."""
    file = IdentityFile(tmp_path)
    first = file.load(**BOX)
    assert file.load(device_id="box-2", device_name="Kitchen") == first
    file.keep(EspHomeIdentity(MAC, "hall"))
    assert IdentityFile(tmp_path).load(**BOX) == EspHomeIdentity(MAC, "hall")


def test_a_name_is_chosen_anew_on_request(tmp_path: Path) -> None:
    """The address stays: it is still the same device."""
    file = IdentityFile(tmp_path)
    assert file.rename("Kitchen") is None
    mac = file.load(**BOX).mac
    assert file.rename("Kitchen") == EspHomeIdentity(mac, "kitchen")
    assert file.load(**BOX) == EspHomeIdentity(mac, "kitchen")


@pytest.mark.parametrize("content", ["", "[]", '{"mac": 1, "name": "x"}', '{"mac": "xyz", "name": "hall"}'])
def test_a_damaged_file_is_replaced(tmp_path: Path, content: str, logged: StringIO) -> None:
    """The log says so, because Home Assistant may take the box for another one."""
    (tmp_path / IDENTITY_FILE).write_text(content)
    made = IdentityFile(tmp_path).load(**BOX)
    assert json.loads((tmp_path / IDENTITY_FILE).read_text()) == {"mac": made.mac, "name": made.name}
    assert "esphome_identity_rejected" in logged.getvalue()


def test_an_identity_that_cannot_be_kept_is_the_same_next_time(tmp_path: Path, logged: StringIO) -> None:
    (tmp_path / "state").write_text("a file where the folder should be")
    file = IdentityFile(tmp_path / "state")
    assert file.load(**BOX) == file.load(**BOX)
    assert "esphome_identity_write_failed" in logged.getvalue()
