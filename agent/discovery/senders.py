"""The sockets that send mDNS."""

from __future__ import annotations

from collections.abc import Iterable

from zeroconf import IPVersion

from agent.discovery.interfaces import Interface


def senders_of(interfaces: Iterable[Interface]) -> list[str]:
    """An IPv4 and an IPv6 address of each interface, the link-local one if it can be (RFC 6762, 11). Linux lets a
    socket into a group once for each interface, whatever its addresses."""
    senders: list[str] = []
    for interface in interfaces:
        v4 = [address for address in interface.announced if address.version == 4]
        v6 = [address for address in interface.addresses if address.version == 6]
        senders += [str(address) for address in v4[:1]]
        senders += [str(address) for address in sorted(v6, key=lambda address: not address.is_link_local)[:1]]
    return list(dict.fromkeys(senders))


def versions_of(senders: Iterable[str]) -> IPVersion:
    """The IP versions that these addresses need."""
    return IPVersion.All if any(":" in sender for sender in senders) else IPVersion.V4Only
