"""Callers that may not, and callers that do harm."""

from __future__ import annotations

import asyncio
import random

import pytest

from agent.frontends.dlna.server import BODY_LIMIT, may_call
from cast_util import tasks
from cast_util.backoff import Backoff
from tests.support.malformed import DLNA_STATUSES, call_dlna, send_no_http
from tests.support.tools import until
from tests.unit.frontends.dlna.conftest import AVT, Ear, Face

BOMB = (
    b'<?xml version="1.0"?><!DOCTYPE b [<!ENTITY a "aaaaaaaaaa">'
    + b"".join(b'<!ENTITY a%d "%s">' % (n, b"&a%d;" % (n - 1) * 10 if n else b"&a;" * 10) for n in range(9))
    + b"]><b>&a8;</b>"
)
STOP = (
    b'<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><u:Stop xmlns:u="urn:x">'
    b"<InstanceID>0</InstanceID></u:Stop></s:Body></s:Envelope>"
)
FILE = b'<?xml version="1.0"?><!DOCTYPE b [<!ENTITY f SYSTEM "file:///etc/passwd">]><b>&f;</b>'


@pytest.mark.parametrize(
    ("peer", "own", "expected"),
    [
        ("127.0.0.1", "127.0.0.1", True),
        ("192.168.1.20", "192.168.1.20", True),
        ("192.168.1.7", "192.168.1.20", True),
        ("192.168.2.7", "192.168.1.20", False),
        ("10.0.0.9", "192.168.1.20", True),
        ("fd77::1", "192.168.1.20", False),
        ("", "", False),
    ],
)
def test_the_address_decides_who_may_call(peer: str, own: str, expected: bool) -> None:
    assert may_call(peer, ("192.168.1.0/24", "10.0.0.9/32"), own=own) is expected


async def test_without_others_that_may_call_it_says_so(face: Face) -> None:
    assert face.face.status.problem is not None
    assert "[dlna]" in face.face.status.problem
    face.settings = face.settings.model_copy(update={"allow": ("192.168.1.0/24",)})
    assert face.face.status.problem is None


async def test_a_page_in_a_browser_is_refused(face: Face) -> None:
    """A page is refused with its own origin, under a name that it has pointed here, and without the header that no page
    may send."""
    assert (await face.request("GET", "/description.xml", Origin=face.url)).status == 403
    assert (await face.request("GET", "/description.xml", Host="box.example")).status == 403
    assert (await face.request("GET", "/description.xml")).status == 200
    assert (await face.request("POST", "/AVTransport/control", data=b"<a/>")).value("errorCode") == "401"


@pytest.mark.parametrize("body", [BOMB, FILE, b"", b"\0", b"<a>" * 15_000, b"<s:Envelope/>"])
async def test_xml_that_does_harm_is_refused(face: Face, body: bytes) -> None:
    answer = await face.post(AVT, "Stop", body)
    assert (answer.status, answer.value("errorCode")) == (500, "402")
    assert "root:" not in answer.text


async def test_no_title_is_taken_from_xml_that_does_harm(face: Face) -> None:
    await face.name("http://film/", BOMB.decode())
    await face.act(AVT, "Play", Speed="1")
    stream = face.rooms.tracker.snapshot().stream
    assert stream is not None
    assert stream.title is None


async def test_a_document_type_is_refused_without_entities_too(face: Face) -> None:
    """The same call without one is done."""
    answer = await face.post(AVT, "Stop", b"<!DOCTYPE s:Envelope>" + STOP)
    assert (answer.status, answer.value("errorCode")) == (500, "402")
    assert (await face.post(AVT, "Stop", STOP)).status == 200


async def test_a_body_has_a_limit(face: Face) -> None:
    assert (await face.post(AVT, "Stop", b" " * (BODY_LIMIT + 1))).status == 413


async def test_nonsense_breaks_nothing(face: Face, ear: Ear) -> None:
    """Hundreds of calls that are broken anywhere are answered, and whoever is subscribed stays so. `python -m
    soak.faces` sends ten thousand to the whole agent."""
    await face.subscribe(ear.url)
    await until(lambda: ear.events)
    dice, port = random.Random(15), face.face.status.port
    assert port is not None
    for _ in range(3):
        answered = await asyncio.gather(*(call_dlna(face.http, face.url, dice) for _ in range(100)))
        assert set(answered) <= DLNA_STATUSES
    for _ in range(20):
        await send_no_http(port, dice)
    assert not face.supervisor.failing
    assert face.face.status.subscribers == ("127.0.0.1",)
    await face.name("http://film/")
    assert ear.states()[-1] == "STOPPED"


async def test_a_port_that_is_taken_is_said_and_tried_again(face: Face, monkeypatch: pytest.MonkeyPatch) -> None:
    """The agent runs without the renderer until the port is free."""
    monkeypatch.setattr(tasks, "PAUSES", Backoff(0.05, cap_s=0.1))
    taken = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
    port = taken.sockets[0].getsockname()[1]
    await face.face.stop()
    face.settings = face.settings.model_copy(update={"port": port})
    face.face.start(8090)
    await until(lambda: face.supervisor.failing)
    status = face.face.status
    assert (status.port, f"port {port}" in str(status.problem)) == (None, True)
    taken.close()
    await taken.wait_closed()
    await until(lambda: face.face.status.port == port)
