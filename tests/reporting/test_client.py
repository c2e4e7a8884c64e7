"""Calls to the real central API, over a network that does all that networks do."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from email.utils import formatdate
from time import time
from typing import Any
from uuid import uuid4

import pytest

from agent.events.event import Occurrence, Run, event_of
from agent.events.timestamp import timestamp
from agent.reporting.central.client import CentralClient
from agent.reporting.central.credentials import Credentials
from agent.reporting.http import client as caller
from agent.reporting.http.errors import CallFailedError, Trouble
from cast_wire.kinds import EventKind
from tests.central.support.process import CentralProcess
from tests.reporting.support.proxy import BLACK_HOLE, FINE, GARBAGE, Fault, Proxy, http
from tests.support.sockets import UNRESOLVABLE_HOST, refused_port
from tests.support.tls import Certificate, TlsFront, make_certificate

TIMEOUT_S = 1.0
PROBLEM = '{"code": "%s", "detail": "The reason."}'


@pytest.fixture
async def client(proxy: Proxy, enrolment: Credentials) -> AsyncIterator[CentralClient]:
    """A registered box behind a bad network."""
    made = CentralClient(proxy.url, enrolment.token, agent_version="0.1.0", timeout_s=TIMEOUT_S)
    yield made
    await made.close()


def events(count: int = 1, **changes: Any) -> list[dict[str, Any]]:
    run = Run(str(uuid4()), "0.1.0")
    occurrence = Occurrence(EventKind.AGENT_STARTED, timestamp())
    return [event_of(occurrence, run, number) | changes for number in range(count)]


async def failure(client: CentralClient, device_id: str) -> CallFailedError:
    with pytest.raises(CallFailedError) as caught:
        await client.device(device_id)
    return caught.value


async def test_one_connection_carries_many_calls(client: CentralClient, enrolment: Credentials, proxy: Proxy) -> None:
    """Events are answered one by one; a connection that breaks is made anew."""
    for _ in range(3):
        answer = await client.post_events(enrolment.device_id, [*events(2), *events(kind="No")])
        assert [result.status for result in answer.results] == ["accepted", "accepted", "rejected"]
    assert proxy.connections == 1
    proxy.fault = FINE
    assert (await client.device(enrolment.device_id)).name == "kitchen"
    assert proxy.connections == 2


@pytest.mark.parametrize(
    ("fault", "trouble", "said"),
    [
        (BLACK_HOLE, Trouble.PASSING, "did not answer within 1 s. Check that cast-central runs"),
        (Fault(delay_s=3.0), Trouble.PASSING, "did not answer within 1 s."),
        (Fault(reset=True), Trouble.PASSING, "broke the connection off."),
        (Fault(cut_answer=True), Trouble.PASSING, "broke the connection off."),
        (GARBAGE, Trouble.PASSING, "does not speak HTTP. Check the address"),
        (http(200, "<html>Welcome"), Trouble.PASSING, "is not a central API (its answer cannot be understood)."),
        (http(200, "x" * 300_000), Trouble.PASSING, "is not a central API (its answer does not end)."),
        (http(404, "<html>Not Found"), Trouble.PASSING, "is not a central API (it said 404)."),
        (http(404, PROBLEM % "not_found"), Trouble.PASSING, "is not a central API (it said 404). Check the address"),
        (http(301, Location="http://me:secret@x/"), Trouble.PASSING, "redirects to http://***@x/. Set [central] url"),
        (
            http(401, PROBLEM % "unauthorized"),
            Trouble.REFUSED,
            "does not know this box (any more): The reason. Register",
        ),
        (http(403), Trouble.REFUSED, "cast-agent enrol --central http://127.0.0.1:"),
        (http(404, PROBLEM % "device_not_found"), Trouble.REFUSED, "does not know this box"),
        (http(410), Trouble.GONE, "gone for good"),
        (http(408), Trouble.PASSING, "answered 408. The agent tries again."),
        (http(425), Trouble.PASSING, "answered 425."),
        (http(429), Trouble.PASSING, "answered 429."),
        (http(429, PROBLEM % "quota_exceeded"), Trouble.LIMITED, "answered 429: The reason. The agent tries again."),
        (http(500), Trouble.PASSING, "answered 500."),
        (http(599, PROBLEM % "odd"), Trouble.PASSING, "answered 599: The reason. The agent tries again."),
        (http(400), Trouble.REJECTED, "answered 400."),
        (http(404, PROBLEM % "stream_not_found"), Trouble.REJECTED, "answered 404: The reason."),
        (http(422, PROBLEM % "invalid_request"), Trouble.REJECTED, "answered 422: The reason."),
    ],
)
async def test_what_a_failure_means(
    client: CentralClient, enrolment: Credentials, proxy: Proxy, fault: Fault, trouble: Trouble, said: str
) -> None:
    """Each kind, with a sentence for a person; and the next call works when the network does."""
    proxy.fault = fault
    error = await failure(client, enrolment.device_id)
    assert error.trouble is trouble
    assert said in str(error)
    assert enrolment.token not in str(error)
    proxy.fault = FINE
    assert (await client.device(enrolment.device_id)).id == enrolment.device_id


@pytest.mark.parametrize(
    ("given", "taken"), [("7", 7.0), ("86400", 3600.0), ("-1", None), ("soon", None), ("9" * 400, 3600.0), (None, None)]
)
async def test_the_server_says_when_to_come_again(
    client: CentralClient, enrolment: Credentials, proxy: Proxy, given: str | None, taken: float | None
) -> None:
    """Seconds, within an hour; nonsense counts as nothing."""
    proxy.fault = http(429) if given is None else http(429, Retry_After=given)
    assert (await failure(client, enrolment.device_id)).retry_after_s == taken


async def test_the_server_names_a_moment(client: CentralClient, enrolment: Credentials, proxy: Proxy) -> None:
    """A date instead of seconds; one that is over means now."""
    proxy.fault = http(503, Retry_After=formatdate(time() + 100, usegmt=True))
    assert 90 < ((await failure(client, enrolment.device_id)).retry_after_s or 0) <= 100
    proxy.fault = http(503, Retry_After=formatdate(time() - 100, usegmt=True))
    assert (await failure(client, enrolment.device_id)).retry_after_s == 0


async def test_nobody_there() -> None:
    """A port that refuses, a name that does not resolve, an interface that is not there."""
    with refused_port() as port:
        client = CentralClient(f"http://127.0.0.1:{port}", "t", agent_version="1")
        error = await failure(client, "x")
    assert f"127.0.0.1:{port} cannot be reached (Connection refused). Check that cast-central runs" in str(error)
    client = CentralClient(f"https://{UNRESOLVABLE_HOST}", "t", agent_version="1")
    assert f"The name {UNRESOLVABLE_HOST} cannot be resolved (" in str(await failure(client, "x"))
    client = CentralClient("http://[fe80::1%25nowhere]:9", "t", agent_version="1")
    assert "cannot be reached (Name or service not known). Check" in str(await failure(client, "x"))


async def test_a_name_that_leads_out_of_the_house_gets_no_token_without_tls(monkeypatch: pytest.MonkeyPatch) -> None:
    """The token would be readable for all on the way."""
    found = [(2, 1, 6, "", ("192.0.3.1", 80))]
    monkeypatch.setattr("agent.reporting.http.resolver.socket.getaddrinfo", lambda *args, **more: found)
    error = await failure(CentralClient("http://central.example.org", "t", agent_version="1"), "x")
    assert str(error).startswith("central.example.org is 192.0.3.1, which is not in your own network. Write https://")


async def test_an_answer_for_other_events_is_none(client: CentralClient, enrolment: Credentials, proxy: Proxy) -> None:
    """Nothing is taken for delivered that was not."""
    for results in ("[]", '[{"event_id": "another", "status": "accepted"}]'):
        proxy.fault = http(200, f'{{"results": {results}}}')
        with pytest.raises(CallFailedError) as caught:
            await client.post_events(enrolment.device_id, events())
        assert caught.value.trouble is Trouble.PASSING


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return make_certificate(tmp_path_factory.mktemp("certificate"))


async def test_certificates(
    central: CentralProcess, enrolment: Credentials, certificate: Certificate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that is not trusted, one that is, one for another name, and plain HTTP where TLS should be."""
    trusting = ssl.create_default_context(cafile=str(certificate.file))
    with TlsFront(certificate, before=central.port) as front:
        url = f"https://localhost:{front.port}"
        client = CentralClient(url, enrolment.token, agent_version="1")
        error = await failure(client, enrolment.device_id)
        assert f"The certificate of localhost:{front.port} is self-signed. Add the authority" in str(error)
        assert "update-ca-certificates" in str(error)
        # As after update-ca-certificates: certificates are read anew, without a restart.
        monkeypatch.setattr(caller, "trusted", lambda: trusting)
        assert (await client.device(enrolment.device_id)).name == "kitchen"
        await client.close()
        error = await failure(CentralClient(url.replace("localhost", "127.0.0.1"), "t", agent_version="1"), "x")
        assert "is made for another name" in str(error)
    error = await failure(CentralClient(central.url.replace("http:", "https:"), "t", agent_version="1"), "x")
    assert "does not speak TLS as it should. If it speaks plain HTTP there, write http://" in str(error)
