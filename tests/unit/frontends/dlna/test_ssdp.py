"""The messages in the network, within this machine: the loopback interface has the group, too."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import struct
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

import pytest

from agent.frontends.dlna import ssdp
from agent.frontends.dlna.ssdp import ANSWERS_LIMIT, GROUP, PORT, About, Ssdp
from tests.support.tools import until

UDN = "uuid:ed39a2e3-6b9e-5bf6-8d6a-64e6b7f5c2ac"
RENDERER = "urn:schemas-upnp-org:device:MediaRenderer:1"


@dataclass(frozen=True)
class Heard:
    first: str
    headers: dict[str, str]


class Ear(asyncio.DatagramProtocol):
    """Hears the group, and can ask it."""

    def __init__(self) -> None:
        self.heard: list[Heard] = []
        self.transport: asyncio.DatagramTransport

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        self.transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        first, *lines = data.decode().split("\r\n")
        self.heard.append(Heard(first, dict(line.split(": ", 1) for line in lines if ": " in line)))

    def ask(self, st: str, *, mx: str = "0", man: str = '"ssdp:discover"') -> None:
        """Search."""
        self.say(f"M-SEARCH * HTTP/1.1\r\nHOST: {GROUP}:{PORT}\r\nMAN: {man}\r\nMX: {mx}\r\nST: {st}\r\n\r\n".encode())

    def say(self, data: bytes) -> None:
        self.transport.sendto(data, (GROUP, PORT))

    def asked(self) -> bool:
        """Search once more; whether an answer has come by now."""
        self.ask(UDN)
        return bool(self.answers())

    def notified(self, what: str) -> list[Heard]:
        """Words of ours; other programs of this machine may talk here, too."""
        return [each for each in self.heard if each.headers.get("NTS") == what and UDN in each.headers["USN"]]

    def answers(self) -> list[Heard]:
        return [each for each in self.heard if each.first == "HTTP/1.1 200 OK"]


def _socket(*, group: bool) -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.setblocking(False)
    here = socket.inet_aton("127.0.0.1")
    if group:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((GROUP, PORT))
        made.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, struct.pack("4s4s", socket.inet_aton(GROUP), here))
    made.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, here)
    return made


@contextlib.asynccontextmanager
async def listening(*, group: bool) -> AsyncIterator[Ear]:
    loop = asyncio.get_running_loop()
    transport, ear = await loop.create_datagram_endpoint(Ear, sock=_socket(group=group))
    try:
        yield ear
    finally:
        transport.close()


@contextlib.asynccontextmanager
async def announced(answers: Callable[[str, str], bool] = lambda own, peer: True) -> AsyncIterator[None]:
    about = About(UDN, "Linux UPnP/1.0 cast-agent/0", 7)
    task = asyncio.create_task(Ssdp(about, addresses=lambda: ["127.0.0.1"], answers=answers).run(8091))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@contextlib.asynccontextmanager
async def searching() -> AsyncIterator[Ear]:
    """A program that searches, once it is listened: late answers to the searches before that go to another port."""
    async with listening(group=False) as first, listening(group=False) as ear:
        await until(first.asked)
        yield ear


async def test_it_says_that_it_is_there_and_says_goodbye(monkeypatch: pytest.MonkeyPatch) -> None:
    """It says so three times, with what Home Assistant looks for: ST, the kind of device, and where it is described."""
    monkeypatch.setattr(ssdp, "ALIVE_FIRST_S", (0.0, 0.01, 0.02))
    async with listening(group=True) as ear:
        async with announced():
            await until(lambda: len(ear.notified("ssdp:alive")) == 3 * 6)
            alive = [each.headers for each in ear.notified("ssdp:alive") if each.headers["NT"] == RENDERER]
            assert len(alive) == 3
            assert alive[0]["ST"] == RENDERER
            assert alive[0]["USN"] == f"{UDN}::{RENDERER}"
            assert alive[0]["LOCATION"] == "http://127.0.0.1:8091/description.xml"
            assert alive[0]["CACHE-CONTROL"] == "max-age=1800"
        await until(lambda: len(ear.notified("ssdp:byebye")) == 6)


@pytest.mark.parametrize(
    ("st", "found"),
    [("ssdp:all", 6), (RENDERER, 1), (UDN, 1), ("upnp:rootdevice", 1), (f"{RENDERER[:-1]}9", 0), ("", 0)],
)
async def test_who_searches_is_answered(st: str, found: int) -> None:
    async with announced(), searching() as ear:
        ear.ask(st)
        ear.ask("upnp:rootdevice", man='"ssdp:nothing"')
        ear.ask(UDN)  # the last question: its answer comes after those of the first
        await until(lambda: len(ear.answers()) == found + 1)
        kinds = [each.headers["ST"] for each in ear.answers()]
        assert kinds.count(UDN) == 1 + (st in (UDN, "ssdp:all"))
        assert found == 0 or st in ("ssdp:all", *kinds)


async def test_strangers_are_not_answered() -> None:
    asked: list[tuple[str, str]] = []

    def answers(own: str, peer: str) -> bool:
        asked.append((own, peer))
        return False

    async with announced(answers), listening(group=False) as ear:
        await until(lambda: ear.asked() or len(asked) > 3)
        await asyncio.sleep(0.05)
        assert not ear.answers()
    assert set(asked) == {("127.0.0.1", "127.0.0.1")}


async def test_nonsense_and_floods_break_nothing() -> None:
    """Five hundred broken datagrams, and searches without end of which ANSWERS_LIMIT wait at once."""
    dice = random.Random(15)
    search = f'M-SEARCH * HTTP/1.1\r\nMAN: "ssdp:discover"\r\nMX: 1\r\nST: {UDN}\r\n\r\n'.encode()
    async with announced(), searching() as ear:
        for number in range(500):
            broken = bytearray(search)
            for _ in range(dice.randint(1, 6)):
                broken[dice.randrange(len(broken))] = dice.randrange(256)
            ear.say(bytes(broken) if number % 4 else dice.randbytes(dice.randint(0, 3000)))
            if number % 100 == 0:
                await asyncio.sleep(0)
        ear.heard.clear()
        await until(ear.asked)
        for _ in range(ANSWERS_LIMIT):
            ear.ask("ssdp:all", mx="5")
        await until(lambda: len(ear.answers()) >= ANSWERS_LIMIT)
        await asyncio.sleep(0.1)
        assert len(ear.answers()) < 2 * ANSWERS_LIMIT
