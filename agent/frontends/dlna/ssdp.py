"""The discovery by controllers (SSDP): announcements, answers to searches, and a goodbye."""

from __future__ import annotations

import asyncio
import random
import socket
import struct
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final

import structlog

from agent.frontends.dlna.description import DESCRIPTION_PATH
from agent.frontends.dlna.services import DEVICE_TYPE, SERVICES
from agent.util.threads import Threads

GROUP: Final = "239.255.255.250"
PORT: Final = 1900

TTL: Final = 2
"""UPnP Device Architecture 1.1, 1.2.2: no further than the LAN and one router within the house."""

MAX_AGE_S: Final = 1800
ALIVE_EVERY_S: Final = 600.0
"""Three in the time for which one holds, because multicast gets lost in wireless networks."""

ALIVE_FIRST_S: Final = (0.0, 0.3, 1.0)
"""The times of the announcements at the start: three, for the same reason."""

LOOK_EVERY_S: Final = 10.0
"""The interval at which the addresses of this box are checked. A check takes 1 ms, and wakes a thread: 0.05 % of a core
if it is made every 5 s."""

LOOK_LIMIT_S: Final = 10.0

ANSWER_WITHIN_S: Final = 1.0
"""The longest random pause before an answer. Callers offer 1-5 s, so that not all devices answer at once."""

ANSWERS_LIMIT: Final = 64
"""Answers that wait at once for each network. A search for everything gets six."""

MESSAGE_LIMIT: Final = 2048
"""Bytes of a search; usual are 150."""

_IP_MULTICAST_ALL: Final = 49
"""An option of linux/in.h: 0 keeps away messages from interfaces on which the socket has not joined the group."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class About:
    """The device to announce. `config_id` changes with the description."""

    unique_name: str
    server: str
    config_id: int


class Ssdp:
    """Tells of the device on each network of `addresses`, which may block. Only those are answered whom `answers` lets
    through, given our address and theirs: a search is a datagram, whose sender may be made up."""

    def __init__(
        self, about: About, *, addresses: Callable[[], Collection[str]], answers: Callable[[str, str], bool]
    ) -> None:
        self._about = about
        self._addresses = addresses
        self._answers = answers
        self._networks: dict[str, _Network] = {}
        self._threads = Threads("dlna-addresses", limit=2)

    async def run(self, port: int) -> None:
        """Announce and answer until cancelled. `port` serves the description."""
        boot_id = int(time.time())  # another one after each start: subscriptions of before are gone
        problem: str | None = None
        try:
            while True:
                try:
                    found = set(await self._threads.call(self._addresses, timeout_s=LOOK_LIMIT_S))
                    await self._adapt(found, port, boot_id)
                    problem = None
                except (OSError, TimeoutError) as error:  # an address has just gone, or the kernel is busy
                    write = log.debug if problem == str(error) else log.warning
                    write("dlna_announcement_failed", reason=str(error), retry_s=LOOK_EVERY_S)
                    problem = str(error)
                for network in self._networks.values():
                    network.repeat()
                await asyncio.sleep(LOOK_EVERY_S)
        finally:
            for network in self._networks.values():
                network.close()
            self._networks.clear()

    async def _adapt(self, found: set[str], port: int, boot_id: int) -> None:
        for address in self._networks.keys() - found:
            self._networks.pop(address).close()
        failure: OSError | None = None
        for address in sorted(found - self._networks.keys()):
            headers = {
                "LOCATION": f"http://{address}:{port}{DESCRIPTION_PATH}",
                "SERVER": self._about.server,
                "CACHE-CONTROL": f"max-age={MAX_AGE_S}",
                "BOOTID.UPNP.ORG": str(boot_id),
                "CONFIGID.UPNP.ORG": str(self._about.config_id),
            }
            network = _Network(self._about.unique_name, headers, partial(self._answers, address))
            try:
                await network.open(address)
            except OSError as error:  # one network keeps none of the others from being told
                failure = error
            else:
                self._networks[address] = network
                log.info("dlna_announced", address=address, port=port)
        if failure is not None:
            raise failure


class _Network(asyncio.DatagramProtocol):
    """One interface."""

    def __init__(self, unique_name: str, headers: Mapping[str, str], answers: Callable[[str], bool]) -> None:
        self._unique_name = unique_name
        self._headers = headers
        self._answers = answers
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.DatagramTransport | None = None
        self._timers: set[asyncio.TimerHandle] = set()
        self._told_at = self._loop.time()

    async def open(self, address: str) -> None:
        """Begin. Raises OSError."""
        # Bound to the group, the socket gets what was sent to that on this interface, and nothing else.
        group = _group_socket(address)
        try:
            await self._loop.create_datagram_endpoint(lambda: self, sock=group)
        except BaseException:
            group.close()
            raise

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        self._transport = transport
        for seconds in ALIVE_FIRST_S:
            self._later(seconds, self._notify)

    def repeat(self) -> None:
        """Repeat the announcement, if it is time."""
        if self._loop.time() - self._told_at >= ALIVE_EVERY_S:
            self._notify()

    def close(self) -> None:
        """Say goodbye."""
        for timer in self._timers:
            timer.cancel()
        self._notify("ssdp:byebye")
        if self._transport is not None:
            self._transport.close()

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if len(data) > MESSAGE_LIMIT or not data.startswith(b"M-SEARCH * HTTP/1.") or not self._answers(addr[0]):
            return
        lines = data.decode("utf-8", "replace").split("\r\n")[1:]
        headers = {name.strip().upper(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        if headers.get("MAN", "").strip('"') != "ssdp:discover":
            return
        patience = headers.get("MX", "")
        within_s = min(float(patience), ANSWER_WITHIN_S) if patience.isascii() and patience.isdigit() else 0.0
        wanted = headers.get("ST", "")
        for kind, name in _kinds(self._unique_name):
            if wanted in ("ssdp:all", kind) and len(self._timers) < ANSWERS_LIMIT:
                self._later(random.uniform(0.0, within_s), self._answer, kind, name, addr)  # noqa: S311 - a pause

    def error_received(self, exc: Exception) -> None:
        log.debug("dlna_datagram_failed", reason=str(exc))

    def _answer(self, kind: str, name: str, to: tuple[str, int]) -> None:
        self._send("HTTP/1.1 200 OK", {"EXT": "", "ST": kind, "USN": name}, to)

    def _notify(self, what: str = "ssdp:alive") -> None:
        self._told_at = self._loop.time()
        host = {"HOST": f"{GROUP}:{PORT}"}
        for kind, name in _kinds(self._unique_name):
            # Home Assistant matches ST, which an announcement need not have: without it the box is found up to
            # 10 minutes later.
            self._send("NOTIFY * HTTP/1.1", {**host, "NT": kind, "ST": kind, "NTS": what, "USN": name}, (GROUP, PORT))

    def _send(self, first: str, headers: Mapping[str, str], to: tuple[str, int]) -> None:
        lines = [first, *(f"{name}: {value}" for name, value in {**headers, **self._headers}.items()), "", ""]
        if self._transport is not None and not self._transport.is_closing():
            self._transport.sendto("\r\n".join(lines).encode(), to)

    def _later(self, seconds: float, do: Callable[..., None], *arguments: object) -> None:
        def now() -> None:
            self._timers.discard(timer)
            do(*arguments)

        timer = self._loop.call_later(seconds, now)
        self._timers.add(timer)


def _kinds(unique_name: str) -> Iterator[tuple[str, str]]:
    """The search targets, each with its unique name."""
    yield unique_name, unique_name
    for kind in ("upnp:rootdevice", DEVICE_TYPE, *(service.kind for service in SERVICES.values())):
        yield kind, f"{unique_name}::{kind}"


def _group_socket(address: str) -> socket.socket:
    """A socket in the multicast group. Raises OSError."""
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # other programs of this box may listen, too
        made.setsockopt(socket.IPPROTO_IP, _IP_MULTICAST_ALL, 0)
        made.bind((GROUP, PORT))
        ours = socket.inet_aton(address)
        made.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, struct.pack("4s4s", socket.inet_aton(GROUP), ours))
        made.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, ours)
        made.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, TTL)
    except BaseException:
        made.close()
        raise
    return made
