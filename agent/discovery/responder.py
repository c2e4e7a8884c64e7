"""A Zeroconf that tells each network only the addresses that this box has in it.

The library sends one packet on all interfaces, with all addresses: a client on one network is then told addresses on
the other, and may take one that it cannot reach (RFC 6762, 14 wants them kept apart).
"""

from __future__ import annotations

import socket
from collections.abc import Iterable, Mapping
from ipaddress import IPv6Address, ip_address
from typing import Any, Final

from zeroconf import DNSAddress, DNSOutgoing, IPVersion, Zeroconf  # type: ignore[attr-defined]  # as in announcement

from agent.discovery.interfaces import Address, Interface

PORT: Final = 5353
_ANY_PORT: Final = 9
"""A port to which nothing is sent: connecting a datagram socket asks for the route alone."""

Told = Mapping[str, frozenset[bytes]]
"""The addresses that are told on each interface, packed."""


class Responder(Zeroconf):
    """Filters the addresses of our host names in whatever is sent; those of others, which stand in our own questions,
    are left alone."""

    def __init__(self, senders: list[str], ip_version: IPVersion, *, interfaces: Iterable[Interface]) -> None:
        self._own_hosts: set[str] = set()
        self._networks: tuple[Interface, ...] = ()
        self._told_on: Told = {}
        self.follow(interfaces)
        super().__init__(senders, ip_version=ip_version)

    def own(self, host: str) -> None:
        """Take this name, with its dot at the end, as ours."""
        self._own_hosts.add(host.lower())

    def follow(self, interfaces: Iterable[Interface]) -> None:
        """Serve these networks from now on."""
        self._networks = tuple(interfaces)
        self._told_on = told_on(self._networks)

    def say_goodbye(self, message: DNSOutgoing, before: Told) -> None:
        """Send a goodbye for all of these addresses, on each interface for those that were told there and are gone."""
        now, self._told_on = (
            self._told_on,
            {name: gone - self._told_on.get(name, frozenset()) for name, gone in before.items()},
        )
        try:
            self.async_send(message)
        finally:
            self._told_on = now

    def async_send(
        self,
        out: DNSOutgoing,
        addr: str | None = None,
        port: int = PORT,
        v6_flow_scope: tuple[()] | tuple[int, int] = (),
        transport: Any = None,
    ) -> None:
        """Send as the library does; without a transport, send to each interface the records that belong there."""
        if not any(self._is_ours(record) for record in _records(out)):
            super().async_send(out, addr, port, v6_flow_scope, transport)
            return
        for each in [transport] if transport else list(self.engine.senders):
            # A network that is gone gets no records of this box; a unicast query from another network gets all of them.
            unknown: frozenset[bytes] | None = frozenset() if addr is None else None
            told = self._told_on.get(self._interface_of(each, addr, v6_flow_scope), unknown)
            mine = out if told is None else self._only(out, told)
            if mine.questions or mine.answers or mine.authorities:
                super().async_send(mine, addr, port, v6_flow_scope, each)

    def _only(self, out: DNSOutgoing, told: frozenset[bytes]) -> DNSOutgoing:
        made = DNSOutgoing(out.flags, out.multicast, out.id)
        made.questions, made.authorities = list(out.questions), list(out.authorities)
        made.answers = [entry for entry in out.answers if self._may_say(entry[0], told)]
        made.additionals = [record for record in out.additionals if self._may_say(record, told)]
        return made

    def _may_say(self, record: Any, told: frozenset[bytes]) -> bool:
        return not self._is_ours(record) or record.address in told

    def _is_ours(self, record: Any) -> bool:
        return isinstance(record, DNSAddress) and record.key in self._own_hosts

    def _interface_of(self, transport: Any, addr: str | None, v6_flow_scope: tuple[int, ...]) -> str:
        """The name of the interface that this goes out on; empty when that is not known."""
        if addr is None:
            if transport.is_ipv6 and transport.multicast_index:
                return _name_of(transport.multicast_index)
            return self._with_address(transport.sock_name[0])
        if len(v6_flow_scope) == 2 and v6_flow_scope[1]:
            return _name_of(v6_flow_scope[1])
        return self._with_address(_source_for(addr))

    def _with_address(self, text: str) -> str:
        address = _parsed(text)
        return next((interface.name for interface in self._networks if address in interface.addresses), "")


def told_on(interfaces: Iterable[Interface]) -> Told:
    """The records for each interface."""
    return {interface.name: frozenset(a.packed for a in interface.announced) for interface in interfaces}


def _records(out: DNSOutgoing) -> list[Any]:
    return [*(entry[0] for entry in out.answers), *out.additionals]


def _parsed(text: str) -> Address | None:
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return (isinstance(address, IPv6Address) and address.ipv4_mapped) or address


def _name_of(index: int) -> str:
    try:
        return socket.if_indextoname(index)
    except OSError:  # it has just gone
        return ""


def _source_for(addr: str) -> str:
    """The address of this machine that the kernel would speak to `addr` from; empty when there is no way."""
    try:
        with socket.socket(socket.AF_INET6 if ":" in addr else socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect((addr, _ANY_PORT))
            return str(probe.getsockname()[0])
    except OSError:
        return ""
