"""The subscribers, and the changes that each is told of."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from agent.frontends.dlna import events
from agent.frontends.dlna.events import FIRST_EVENT_AFTER_S, SUBSCRIPTIONS_LIMIT, Subscriptions
from agent.frontends.dlna.renderer import PICTURE_STAYS_S
from agent.frontends.dlna.services import SERVICES
from cast_util.backoff import Backoff
from cast_util.tasks import Supervisor
from tests.support.tools import until
from tests.unit.frontends.dlna.conftest import AVT, CM, RC, Ear, Face


async def test_a_subscriber_is_told_all_and_then_each_change(face: Face, ear: Ear) -> None:
    """The first event has every variable and the number 0; each further one what differs, whoever has changed it."""
    answer = await face.subscribe(ear.url)
    assert answer.headers["TIMEOUT"] == "Second-300"
    await until(lambda: ear.events)
    first = ear.events[0]
    assert (first.headers["SEQ"], first.headers["SID"], first.headers["NTS"]) == (
        "0",
        answer.headers["SID"],
        "upnp:propchange",
    )
    assert ear.states() == ["NO_MEDIA_PRESENT"]
    assert "AVTransportURI" in first.text
    assert face.face.status.subscribers == ("127.0.0.1",)
    await face.rooms.casting.set_volume(0.5, None)  # is not this service's
    await face.name("http://film/")
    await until(lambda: len(ear.events) == 2)
    assert ear.events[1].headers["SEQ"] == "1"
    assert "TransportPlaySpeed" not in ear.events[1].text
    await face.act(AVT, "Play", Speed="1")
    await until(lambda: ear.states()[-1] == "PLAYING")
    assert ear.states() == ["NO_MEDIA_PRESENT", "STOPPED", "TRANSITIONING", "PLAYING"]
    assert (await face.request("UNSUBSCRIBE", "/AVTransport/event", SID=answer.headers["SID"])).status == 200
    assert not face.face.status.subscribers


async def test_what_is_taken_back_before_it_begins_stays_away() -> None:
    """A caller may end its subscription while the answer to it is still being written."""
    subscriptions = Subscriptions(lambda _: {"Volume": "1"}, supervisor=Supervisor())
    made = subscriptions.add(SERVICES[AVT], "http://127.0.0.1:9/", "127.0.0.1", lasts_s=60.0)
    assert made is not None
    subscriptions.remove(made)
    subscriptions.begin(made)
    assert subscriptions.peers == ()
    await subscriptions.stop()


async def test_the_end_is_told_before_stop_is_answered(face: Face, ear: Ear) -> None:
    """Home Assistant would leave out the next Play."""
    await face.subscribe(ear.url)
    await face.name("http://film/")
    await face.act(AVT, "Play", Speed="1")
    await until(lambda: ear.states()[-1:] == ["PLAYING"])
    await face.act(AVT, "Stop")
    assert ear.states()[-1] == "STOPPED"


async def test_the_last_picture_waits_for_the_caller_from_the_answer_on(face: Face, ear: Ear) -> None:
    """However long the events take that come before the answer, of a Stop and of the address of what follows."""
    await face.subscribe(ear.url)
    await face.name("http://film/")
    await face.act(AVT, "Play", Speed="1")
    await until(lambda: ear.states()[-1:] == ["PLAYING"])
    ear.takes_s = PICTURE_STAYS_S + 0.1
    for call in (face.act(AVT, "Stop"), face.name("http://film/2")):
        await call
        assert face.rooms.stage.stack
    assert face.rooms.tracker.snapshot().stream is None
    await until(lambda: not face.rooms.stage.stack)
    assert ear.states()[-1] == "STOPPED"


async def test_the_other_services_have_events_of_their_own(face: Face, ear: Ear) -> None:
    await face.subscribe(ear.url, service=RC)
    await until(lambda: ear.events)
    assert "&lt;Volume channel=&quot;Master&quot; val=&quot;100&quot;/&gt;" in ear.events[0].text
    await face.rooms.casting.set_volume(0.5, True)
    await until(lambda: len(ear.events) == 2)
    assert "val=&quot;50&quot;" in ear.events[1].text
    await face.subscribe(ear.url, service=CM)
    await until(lambda: len(ear.events) == 3)
    assert "<SinkProtocolInfo>http-get:*:video/mp4:*" in ear.events[2].text


@pytest.mark.parametrize(
    "callback",
    [
        "http://192.0.2.1:80/",
        "http://localhost:8000/",
        "http://127.0.0.2:8000/",
        "https://127.0.0.1:8000/",
        "http://127.0.0.1@192.0.2.1/",
        "http://192.0.2.1@127.0.0.1/",
        "http://127.0.0.1:99999/",
        "file:///etc/passwd",
        "",
    ],
)
async def test_only_the_caller_itself_is_called_back(face: Face, callback: str) -> None:
    assert (await face.subscribe(callback)).status == 412
    assert face.face.status.subscribers == ()


async def test_the_callers_own_address_may_be_any_of_those_it_names(face: Face, ear: Ear) -> None:
    assert (await face.subscribe(f"http://192.0.2.1/> <{ear.url}")).status == 200
    await until(lambda: ear.events)


async def test_there_is_an_end_to_subscriptions(face: Face, ear: Ear) -> None:
    """One more than there may be is refused, until one has gone."""
    sids = [(await face.subscribe(ear.url)).headers["SID"] for _ in range(SUBSCRIPTIONS_LIMIT)]
    assert (await face.subscribe(ear.url)).status == 503
    await face.request("UNSUBSCRIBE", "/AVTransport/event", SID=sids[0])
    assert (await face.subscribe(ear.url)).status == 200


@pytest.mark.parametrize(
    ("asked", "granted"), [("Second-1", "60"), ("Second-infinite", "1800"), ("Second-999999", "1800"), ("", "1800")]
)
async def test_the_time_of_a_subscription_has_bounds(face: Face, ear: Ear, asked: str, granted: str) -> None:
    first = await face.subscribe(ear.url, timeout=asked)
    assert first.headers["TIMEOUT"] == f"Second-{granted}"
    renewed = await face.request("SUBSCRIBE", "/AVTransport/event", SID=first.headers["SID"], TIMEOUT=asked)
    assert (renewed.status, renewed.headers["SID"]) == (200, first.headers["SID"])
    assert (await face.request("SUBSCRIBE", "/AVTransport/event", SID="uuid:another")).status == 412


async def test_a_subscription_ends_with_its_time(face: Face, ear: Ear, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent.frontends.dlna.server.LEAST_S", 2 * FIRST_EVENT_AFTER_S)
    await face.subscribe(ear.url, timeout="Second-0")
    await until(lambda: face.face.status.subscribers == ())
    assert ear.events


async def test_a_controller_that_does_not_answer_holds_nobody_up(
    face: Face, ear: Ear, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is tried again, and told everything that it has missed; others hear at once."""
    monkeypatch.setattr(events, "NOTIFY_TIMEOUT_S", 0.2)
    monkeypatch.setattr(events, "TRIES", Backoff(0.1, cap_s=0.1))

    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    away = await asyncio.start_server(hold, "127.0.0.1", 0)
    port = away.sockets[0].getsockname()[1]
    await face.subscribe(f"http://127.0.0.1:{port}/hear")
    await face.subscribe(ear.url)
    await face.name("http://film/")
    await until(lambda: ear.states()[-1:] == ["STOPPED"])
    away.close()
    back = web.Application()
    late = Ear()
    back.router.add_route("NOTIFY", "/hear", late.hear)
    runner = web.AppRunner(back, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, reuse_address=True).start()
    await until(late.states)
    assert late.states() == ["STOPPED"]
    await runner.cleanup()


async def test_no_redirect_leads_to_somebody_else(face: Face, ear: Ear) -> None:
    """The events of a subscription go to its own address."""
    asked: list[str] = []

    async def elsewhere(request: web.Request) -> web.Response:
        asked.append(request.path)
        raise web.HTTPTemporaryRedirect(ear.url)

    app = web.Application()
    app.router.add_route("NOTIFY", "/{path:.*}", elsewhere)
    async with TestServer(app) as server:
        await face.subscribe(str(server.make_url("/first")))
        await until(lambda: asked)
        await face.name("http://film/")
        assert asked == ["/first", "/first"]
    assert not ear.events


async def test_one_that_knows_of_no_subscription_has_none(face: Face, ear: Ear) -> None:
    ear.status = 412
    await face.subscribe(ear.url)
    await until(lambda: face.face.status.subscribers == ())
