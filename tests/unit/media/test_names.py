"""The name that is looked up, the servers that this machine asks for it, and the message when nobody answers."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from agent.doctor import dns
from agent.doctor.dns import name_servers
from agent.doctor.findings import Level
from agent.media import names
from agent.media.names import NameWatch, host_to_look_up, look_up_name, servers
from tests.support.tools import until


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("http://nas.lan:8080/film.mp4", "nas.lan"),
        ("rtsp://user:pass@door.local/ch0", "door.local"),
        ("http://10.0.0.2/film.mp4", ""),
        ("http://[fe80::1%25eth0]/film.mp4", ""),
        ("file:///media/film.mp4", ""),
        ("http://[broken/", ""),
    ],
)
def test_only_names_are_looked_up(url: str, host: str) -> None:
    """An address needs no DNS server."""
    assert host_to_look_up(url) == host


def test_behind_the_stub_of_systemd_are_the_servers(tmp_path: Path) -> None:
    """The stub on 127.0.0.53 always answers; those that matter are the ones that it asks."""
    (tmp_path / "resolv.conf").write_text("# by hand\nsearch lan\nnameserver 127.0.0.53\noptions edns0\n")
    (tmp_path / "behind").write_text("nameserver 10.0.0.1\nnameserver 10.0.0.1\nnameserver fe80::1%eth0\n")
    assert servers(tmp_path / "resolv.conf", tmp_path / "behind") == ("10.0.0.1", "fe80::1%eth0")
    assert servers(tmp_path / "resolv.conf", tmp_path / "missing") == ("127.0.0.53",)
    assert servers(tmp_path / "missing", tmp_path / "behind") == ()


async def test_a_resolver_that_is_silent_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever waits for a player meanwhile is told that the name is the reason, and what to do."""
    monkeypatch.setattr(names, "LOOK_AFTER_S", 0.01)
    monkeypatch.setattr(names, "servers", lambda: ("10.0.0.1",))
    began = asyncio.Event()

    async def silent(host: str) -> str:
        began.set()
        await asyncio.Event().wait()
        return ""

    watch = NameWatch("http://nas.lan/film.mp4", silent)
    async with watch:
        await began.wait()
    problem = await watch.problem()
    assert "'nas.lan' could not be looked up: no answer from the DNS server 10.0.0.1." in problem
    assert "use the IP address" in problem


async def test_a_source_that_is_heard_of_at_once_is_not_asked_about(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream that plays pays nothing for it."""
    asked = []

    async def look_up(host: str) -> str:
        asked.append(host)
        return "a problem"

    watch = NameWatch("http://nas.lan/film.mp4", look_up)
    async with watch:
        await asyncio.sleep(0.01)
    assert (await watch.problem(), asked) == ("", [])


async def test_a_name_that_there_is_is_no_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    """A source that is silent although its name is known has another problem."""
    assert await look_up_name("localhost") == ""
    assert "check the spelling" in await look_up_name("no..name")


# --- the doctor ---


class Server(asyncio.DatagramProtocol):
    """A DNS server that refuses every question, or says nothing."""

    def __init__(self, *, answers: bool) -> None:
        self._answers = answers
        self.questions: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, addr: object) -> None:
        self.questions.append(data)
        if self._answers:
            self._transport.sendto(data[:2] + b"\x81\x05" + data[4:], addr)  # type: ignore[attr-defined]


async def serve(host: str, port: int, *, answers: bool) -> tuple[asyncio.DatagramTransport, Server]:
    loop = asyncio.get_running_loop()
    return await loop.create_datagram_endpoint(lambda: Server(answers=answers), local_addr=(host, port))


async def test_the_doctor_looks_at_each_dns_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer of whatever kind is good; a silent server is named, and costs two seconds and no more."""
    monkeypatch.setattr(dns, "ANSWER_TIMEOUT_S", 0.2)
    good, asked = await serve("127.0.0.1", 0, answers=True)
    port = good.get_extra_info("sockname")[1]
    silent, unheard = await serve("127.0.0.2", port, answers=False)
    conf = tmp_path / "resolv.conf"

    async def look(*servers_: str) -> tuple[Level, str]:
        conf.write_text("".join(f"nameserver {server}\n" for server in servers_))
        finding = await name_servers(conf, stub_resolv_conf=tmp_path / "none", port=port)
        return finding.level, finding.found

    assert await look("127.0.0.1") == (Level.OK, "127.0.0.1 answers.")
    level, found = await look("127.0.0.2")
    assert (level, "127.0.0.2 does not answer" in found, "do not play" in found) == (Level.WARN, True, True)
    level, found = await look("127.0.0.1", "127.0.0.2")
    assert (level, found[:25]) == (Level.WARN, "127.0.0.2 does not answer")
    level, found = await look("127.0.0.3")  # nobody listens there
    assert level is Level.WARN
    level, found = await look()
    assert (level, "No DNS server is named" in found) == (Level.WARN, True)
    await until(lambda: asked.questions and unheard.questions)
    good.close()
    silent.close()
