"""Addresses where nothing good happens, and a sender of MPEG-TS over UDP."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator

from tests.support.running import Beside
from tests.support.ts import FPS, PACKET, EndlessTs

UNRESOLVABLE_HOST = "nonexistent.invalid"
"""RFC 6761 keeps `.invalid` from ever resolving."""

DATAGRAM = 7 * PACKET
"""Seven packets fit an Ethernet frame; every MPEG-TS sender does it this way."""


@contextlib.contextmanager
def refused_port() -> Iterator[int]:
    """A port of 127.0.0.1 that refuses connections: bound, so that nobody else takes it, and not listening."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


@contextlib.contextmanager
def silent_port() -> Iterator[int]:
    """A port of 127.0.0.1 that accepts connections (the kernel does) and never says a word."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(64)
        yield listening.getsockname()[1]


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody uses now, for a program that is told its port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def free_udp_port() -> int:
    """A UDP port of 127.0.0.1 that nobody uses, and to which nobody sends: a player that opens it hears silence."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class UdpSender(Beside):
    """Sends an endless stream in real time to a UDP port of 127.0.0.1, from its own thread, while in a `with`."""

    def __init__(self, stream: EndlessTs, port: int) -> None:
        super().__init__("udp-sender")
        self._stream = stream
        self._address = ("127.0.0.1", port)
        self._silent = threading.Event()

    def pause(self) -> None:
        """Send nothing until `resume`, like a camera that lost its network."""
        self._silent.set()

    def resume(self) -> None:
        self._silent.clear()

    def _work(self) -> None:
        began = time.monotonic()
        number = 0
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
            while not self._over.wait(max(0.0, began + number / FPS - time.monotonic())):
                picture = self._stream.picture(number)
                number += 1
                if self._silent.is_set():
                    continue
                for at in range(0, len(picture), DATAGRAM):
                    with contextlib.suppress(ConnectionRefusedError):  # nobody listens yet
                        out.sendto(picture[at : at + DATAGRAM], self._address)
