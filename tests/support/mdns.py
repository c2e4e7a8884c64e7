"""Hears every word of mDNS on a machine of a test's LAN, as no cache tells it."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from dataclasses import dataclass
from ipaddress import ip_address
from types import TracebackType

from zeroconf import DNSAddress, DNSIncoming, DNSOutgoing, DNSQuestion  # type: ignore[attr-defined]

from tests.support.lan import Machine

GROUP, PORT = "224.0.0.251", 5353
ANSWER_S = 10.0


@dataclass(frozen=True, slots=True)
class HeardAddress:
    """An address that somebody was told of; a `ttl` of 0 is a goodbye."""

    at: float
    """The time of `time.time()`."""
    host: str
    address: str
    ttl: int


class Ear:
    """`with Ear(machine, "10.77.0.2") as ear`: what is said there over IPv4, in `ear.addresses`."""

    def __init__(self, machine: Machine, address: str) -> None:
        with machine.inside():
            self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._membership = struct.pack("4s4s", socket.inet_aton(GROUP), socket.inet_aton(address))
        self._over = False
        self.addresses: list[HeardAddress] = []

    def __enter__(self) -> Ear:
        for option in (socket.SO_REUSEADDR, socket.SO_REUSEPORT):
            self._socket.setsockopt(socket.SOL_SOCKET, option, 1)
        self._socket.bind(("", PORT))
        self._socket.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, self._membership)
        self._socket.settimeout(0.1)
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over = True
        self._thread.join()
        self._socket.close()

    def _listen(self) -> None:
        while not self._over:
            with contextlib.suppress(TimeoutError):
                message = DNSIncoming(self._socket.recv(9000))
                self.addresses += [
                    HeardAddress(time.time(), record.name, _text(record.address), int(record.ttl))
                    for record in message.answers()
                    if isinstance(record, DNSAddress)
                ]


def asked_alone(machine: Machine, address: str, host: str) -> set[str]:
    """The addresses that who asks for an answer to himself is given (RFC 6762, 6.7)."""
    # An id of its own: the library overlooks a question that repeats another one within a second.
    question = DNSOutgoing(0, multicast=False, id_=int(ip_address(address)) & 0xFFFF)
    for kind in (1, 28):
        question.add_question(DNSQuestion(host, kind, 1))
    with machine.inside(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.settimeout(ANSWER_S)
        asking.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(address))
        asking.sendto(question.packets()[0], (GROUP, PORT))
        records = [record for record in DNSIncoming(asking.recv(9000)).answers() if isinstance(record, DNSAddress)]
    return {str(ip_address(record.address)) for record in records}


def _text(packed: bytes) -> str:
    return socket.inet_ntop(socket.AF_INET if len(packed) == 4 else socket.AF_INET6, packed)
