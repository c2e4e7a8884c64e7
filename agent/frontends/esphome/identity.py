"""The identity of this box in Home Assistant: a MAC address and a node name, each chosen once and kept in the state
directory. The address is the identity of the device and its entities there; the name names its actions."""

from __future__ import annotations

import hashlib
import json
import re
import socket
import unicodedata
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import structlog

from agent.util.files import write_whole

IDENTITY_FILE: Final = "esphome-identity.json"

SYS_NET: Final = Path("/sys/class/net")

NAME_LIMIT: Final = 31
"""Characters; ESPHome's own."""

READ_LIMIT: Final = 1024
"""Bytes; the file has some 70."""

_DEFAULT_NAME: Final = "cast-agent"

_LOCAL, _GROUP = 0x02, 0x01
"""Bits of the first byte of a MAC address: made up by software; not of one machine."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class EspHomeIdentity:
    """An identity that never changes once Home Assistant knows it."""

    mac: str
    """12 lower-case hexadecimal digits."""
    name: str
    """1 to 31 of a-z, 0-9 and dashes: the node name, and the host name in `.local`."""


class IdentityFile:
    """The file with the identity in the state directory `folder`. Everything here blocks for the disk."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file = folder / IDENTITY_FILE

    def load(self, *, device_id: str, device_name: str) -> EspHomeIdentity:
        """The identity that is kept; else one for this machine and name, kept from now on. Where nothing can be kept
        the same is chosen at the next start, as long as the network card and the name are the same."""
        kept = self._read()
        if kept is not None:
            return kept
        made = chosen(device_id=device_id, device_name=device_name)
        try:
            self.keep(made)
        except OSError as error:
            log.warning("esphome_identity_write_failed", file=str(self._file), reason=error.strerror)
        else:
            log.info("esphome_identity_created", name=made.name, mac=made.mac)
        return made

    def keep(self, identity: EspHomeIdentity) -> None:
        """Have this one from now on. Raises OSError."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_whole(self._file, json.dumps(asdict(identity)) + "\n")

    def rename(self, device_name: str) -> EspHomeIdentity | None:
        """Choose the node name anew, and keep it; the address stays. None before there is an identity. Raises
        OSError."""
        kept = self._read()
        if kept is None:
            return None
        renamed = EspHomeIdentity(kept.mac, node_name(device_name, kept.mac))
        self.keep(renamed)
        return renamed

    def _read(self) -> EspHomeIdentity | None:
        try:
            with self._file.open("rb") as stream:
                kept = json.loads(stream.read(READ_LIMIT))
            mac, name = kept["mac"], kept["name"]
            if re.fullmatch("[0-9a-f]{12}", mac) and re.fullmatch(f"[a-z0-9-]{{1,{NAME_LIMIT}}}", name):
                return EspHomeIdentity(mac, name)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            log.warning("esphome_identity_rejected", file=str(self._file), reason=repr(error))
            return None
        log.warning("esphome_identity_rejected", file=str(self._file), reason="its fields are not ours")
        return None


def chosen(*, device_id: str, device_name: str, sys_net: Path = SYS_NET) -> EspHomeIdentity:
    """An identity for this machine: the address of its wired network card, else of its wireless one, else one made of
    the agent's id. Blocks for the kernel."""
    macs = sorted((wireless, mac) for mac, wireless in _cards(sys_net))
    mac = macs[0][1] if macs else _made_up(device_id)
    return EspHomeIdentity(mac, node_name(device_name, mac))


def node_name(device_name: str, mac: str, *, host: str | None = None) -> str:
    """The name of the device as host names are written: `living-room`. A name that tells nothing, or is that of the
    machine itself, which announces its own addresses under it, gets the end of the address: `raspberrypi-3f2a1c`."""
    name = _slug(device_name)
    own = _slug((socket.gethostname() if host is None else host).partition(".")[0])
    if name in ("", own):
        room = NAME_LIMIT - 7
        return f"{(name or _DEFAULT_NAME)[:room].rstrip('-')}-{mac[-6:]}"
    return name[:NAME_LIMIT].rstrip("-")


def is_wireless(sys_net: Path = SYS_NET) -> bool:
    """Return True if this machine has a wireless network card and no wired one. Blocks for the kernel."""
    return bool(cards := [wireless for _, wireless in _cards(sys_net)]) and all(cards)


def _slug(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text.replace("ß", "ss")).encode("ascii", "ignore").decode().lower()
    return re.sub("[^a-z0-9]+", "-", plain).strip("-")


def _cards(sys_net: Path) -> list[tuple[str, bool]]:
    """The factory's address of each network card, and whether it is wireless; bridges, tunnels and the like have
    none."""
    found = []
    for device in sorted(sys_net.glob("*")):
        try:
            mac = (device / "address").read_text().strip().replace(":", "") if (device / "device").exists() else ""
        except OSError:  # it has just gone
            continue
        if re.fullmatch("[0-9a-f]{12}", mac) and int(mac, 16) and not int(mac[:2], 16) & (_LOCAL | _GROUP):
            found.append((mac, (device / "wireless").exists()))
    return found


def _made_up(device_id: str) -> str:
    digest = bytearray(hashlib.sha256(f"esphome {device_id}".encode()).digest()[:6])
    digest[0] = digest[0] & ~_GROUP | _LOCAL
    return digest.hex()
