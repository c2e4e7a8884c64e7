"""The interfaces of this machine that lead to the LAN, and the addresses at which others reach it."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, ip_address
from pathlib import Path
from typing import Final

import ifaddr

Address = IPv4Address | IPv6Address

SYS_NET: Final = Path("/sys/class/net")
IF_INET6: Final = Path("/proc/self/net/if_inet6")

_VIRTUAL_NAMES: Final = ("veth", "cali", "cilium", "flannel", "lxc", "vxlan")
"""The host's ends of containers and the networks between them. The kernel does not tell them from a LAN: inside a
container eth0 is such a device, too, so that only the name is left."""

_UP, _LOOPBACK, _POINT_TO_POINT, _NO_ARP, _MULTICAST = 0x1, 0x8, 0x10, 0x80, 0x1000
"""Flags of netdevice(7). Tunnels are point-to-point or know no ARP; so do dummies."""

_TEMPORARY, _FAILED, _DEPRECATED, _TENTATIVE = 0x01, 0x08, 0x20, 0x40
"""Flags of an IPv6 address (linux/if_addr.h) that will not last, or does not hold yet."""


@dataclass(frozen=True, slots=True)
class Interface:
    """One way to the LAN."""

    name: str
    addresses: tuple[Address, ...]
    """The addresses, at least one; IPv4 first, and the first of a kind is the one that this machine itself would
    take."""
    networks: tuple[IPv4Network, ...] = ()
    """The networks of its IPv4 addresses."""

    @property
    def announced(self) -> tuple[Address, ...]:
        """The addresses to announce. Link-local addresses count only if there are no others, as in Avahi."""
        wide = tuple(address for address in self.addresses if not address.is_link_local)
        return wide or self.addresses


def lan_interfaces(
    named: Collection[str] = (), *, sys_net: Path = SYS_NET, if_inet6: Path = IF_INET6
) -> tuple[Interface, ...]:
    """The interfaces to the LAN that have a link and an address; with `named` only these, of whatever kind.

    Left out are loopback, tunnels, containers and the bridges between them; a bridge with a network card is a LAN.
    Blocks for the kernel. Raises OSError.
    """
    unusable = _unusable(if_inet6)
    found = []
    for adapter in ifaddr.get_adapters():
        device = sys_net / adapter.name.partition(":")[0]  # a second address may have a label: eth0:1
        if not (_has_link(device) and (adapter.name in named if named else _is_lan(device))):
            continue
        addresses = dict.fromkeys(_parsed(ip.ip) for ip in adapter.ips)
        usable = [address for address in addresses if not address.is_loopback and address not in unusable]
        if usable:
            usable.sort(key=lambda address: address.version)
            own = (f"{ip.ip}/{ip.network_prefix}" for ip in adapter.ips if ip.is_IPv4)
            networks = dict.fromkeys(IPv4Network(each, strict=False) for each in own)
            found.append(Interface(adapter.name, tuple(usable), tuple(networks)))
    return tuple(sorted(found, key=lambda interface: interface.name))


def lan_url(host: str, port: int, named: Collection[str] = ()) -> str | None:
    """The URL at which people on the LAN reach what listens on `host`, with the IPv4 address first; None if there is
    none. Blocks for the kernel. Raises OSError."""
    try:
        address = ip_address(host)
    except ValueError:
        return None if host == "localhost" else f"http://{host}:{port}"
    if address.is_unspecified:
        found = [a for interface in lan_interfaces(named) for a in interface.announced]
        usable = [a for a in found if address.version == 6 or a.version == 4]
        address = min(usable, key=lambda a: a.version, default=address)
    if address.is_unspecified or address.is_loopback:
        return None
    return f"http://[{address}]:{port}" if address.version == 6 else f"http://{address}:{port}"


def _parsed(ip: str | tuple[str, int, int]) -> Address:
    return ip_address(ip if isinstance(ip, str) else ip[0].partition("%")[0])


def _is_lan(device: Path) -> bool:
    flags = _flags(device)
    if flags & (_LOOPBACK | _POINT_TO_POINT | _NO_ARP) or not flags & _MULTICAST:
        return False
    if device.name.startswith(_VIRTUAL_NAMES) or (device / "tun_flags").exists():
        return False
    if (device / "bridge").exists():
        return any((port / "device").exists() for port in _ports(device))
    return True


def _ports(bridge: Path) -> Iterator[Path]:
    for port in (bridge / "brif").iterdir():
        yield bridge.parent / port.name


def _has_link(device: Path) -> bool:
    """Return True if it is up, and a cable is in it or a radio network found: a box without a network keeps its address
    for a while."""
    try:
        return bool(_flags(device) & _UP) and (device / "carrier").read_text().strip() == "1"
    except OSError:  # it is down, or it has just gone
        return False


def _flags(device: Path) -> int:
    try:
        return int((device / "flags").read_text(), 16)
    except OSError:
        return 0


def _unusable(if_inet6: Path) -> set[Address]:
    """The IPv6 addresses that must not be announced."""
    try:
        lines = if_inet6.read_text().splitlines()
    except OSError:  # there is no IPv6
        return set()
    passing = _TEMPORARY | _FAILED | _DEPRECATED | _TENTATIVE
    fields = (line.split() for line in lines)
    return {IPv6Address(bytes.fromhex(f[0])) for f in fields if int(f[4], 16) & passing}
