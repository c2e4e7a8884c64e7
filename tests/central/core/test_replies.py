"""Files, streams, server-sent events, WebSockets and limits, of a feature that the test makes, on a real server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiohttp import ClientConnectionError, ClientPayloadError, ClientSession, WSMsgType, WSServerHandshakeError, web
from pydantic import BaseModel

from cast_http.operations import NoQuery
from cast_http.server import ApiRunner
from central.core.access.service import Access as Identities
from central.core.db.engine import Database
from central.core.feature import Feature
from central.core.http import live
from central.core.http.app import create_app
from central.core.http.guard import Guard
from central.core.http.metrics import Metrics
from central.core.http.problems import PROBLEMS
from central.core.operations import Access, Call, Operation
from central.core.replies import AnyReply, EventsReply, FileReply, Reply, ServerEvent, Socket, SocketReply, StreamReply
from tests.support.tools import until

FILM = bytes(range(256)) * 1024


class Text(BaseModel):
    text: str


@dataclass
class Library:
    """The service of the feature."""

    folder: Path
    closed: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when what is live has come to its end here."""
    heard: list[str] = field(default_factory=list)
    released: asyncio.Event = field(default_factory=asyncio.Event)
    """Lets what closes slowly close."""

    async def chunks(self, number: int) -> AsyncGenerator[bytes, None]:
        try:
            for _ in range(number):
                yield b"x" * 1000
            if number > 5:
                raise RuntimeError("the disk is gone")
        finally:
            self.closed.set()

    async def news(self, number: int) -> AsyncGenerator[ServerEvent, None]:
        try:
            for each in range(number):
                yield ServerEvent(f"line {each}\nmore", kind="news", id=str(each))
            if number > 5:
                await asyncio.Event().wait()
        finally:
            self.closed.set()

    async def slow(self) -> AsyncGenerator[bytes, None]:
        try:
            yield b"x"
            await asyncio.Event().wait()
        finally:
            self.closed.set()
            await self.released.wait()

    async def shout(self, socket: Socket) -> None:
        try:
            while True:
                await socket.send("x" * 60_000)
        finally:
            self.closed.set()

    async def talk(self, socket: Socket) -> None:
        try:
            await socket.send("hello")
            async for text in socket:
                self.heard.append(text)
                await socket.send(text.upper())
                if text == "bye":
                    return
        finally:
            self.closed.set()


LibraryCall = Call[Library, None, NoQuery]


async def get_file(call: LibraryCall) -> AnyReply:
    return FileReply(call.service.folder / call.path["name"], "video/mp4")


async def get_chunks(call: LibraryCall) -> AnyReply:
    return StreamReply(call.service.chunks(int(call.path["number"])), "text/plain")


async def get_news(call: LibraryCall) -> AnyReply:
    return EventsReply(call.service.news(int(call.path["number"])))


async def get_slow(call: LibraryCall) -> AnyReply:
    return StreamReply(call.service.slow(), "text/plain")


async def open_loud_socket(call: LibraryCall) -> AnyReply:
    return SocketReply(call.service.shout)


async def open_socket(call: LibraryCall) -> AnyReply:
    return SocketReply(call.service.talk)


async def take(call: Call[Library, Text, NoQuery]) -> AnyReply:
    return Reply(Text(text=str(len(call.body.text))))


async def sleep(call: LibraryCall) -> AnyReply:
    await asyncio.Event().wait()
    raise AssertionError


OPERATIONS = (
    Operation("GET", "/files/{name}", get_file, Access.ADMIN, "A file.", {200: "video/mp4"}),
    Operation("GET", "/chunks/{number}", get_chunks, Access.OPEN, "A stream.", {200: "text/plain"}),
    Operation("GET", "/news/{number}", get_news, Access.ADMIN, "Events.", {200: "text/event-stream"}),
    Operation("GET", "/socket", open_socket, Access.ADMIN, "A WebSocket.", {101: None}, body_limit=100),
    Operation("GET", "/slow", get_slow, Access.OPEN, "A stream.", {200: "text/plain"}),
    Operation("GET", "/loud", open_loud_socket, Access.OPEN, "A WebSocket.", {101: None}),
    Operation("POST", "/small", take, Access.OPEN, "Little.", {200: Text}, body=Text, body_limit=1000),
    Operation("POST", "/large", take, Access.OPEN, "Much.", {200: Text}, body=Text, body_limit=1_000_000),
    Operation("GET", "/sleep", sleep, Access.OPEN, "Never.", {200: Text}, timeout_s=0.05),
)


@dataclass
class Served:
    """A server of this feature alone."""

    service: Library
    admin: ClientSession
    anybody: ClientSession
    identities: Identities
    runner: web.AppRunner
    metrics: Metrics


@pytest.fixture
async def served(sqlite_url: str, tmp_path: Path) -> AsyncIterator[Served]:
    (tmp_path / "film.mp4").write_bytes(FILM)
    database = Database(sqlite_url.replace("sqlite:", "sqlite+aiosqlite:"))
    identities = Identities(database)
    library = Library(tmp_path)
    metrics = Metrics(database, ())
    app = create_app([Feature("library", library, OPERATIONS)], Guard(identities), metrics)
    runner = ApiRunner(app, problems=PROBLEMS, shutdown_s=60.0)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    url = "http://{}:{}".format(*runner.addresses[0])
    headers = {"Authorization": f"Bearer {await identities.add_key('admin')}"}
    try:
        async with ClientSession(url, headers=headers) as admin, ClientSession(url) as anybody:
            yield Served(library, admin, anybody, identities, runner, metrics)
    finally:
        await runner.cleanup()
        await database.close()


async def test_a_file_is_answered_whole_or_in_part(served: Served, caplog: pytest.LogCaptureFixture) -> None:
    """With ranges, as players ask for it, on one connection; to nobody without a key, and 404 in our own form where
    there is none."""
    async with served.admin.get("/files/film.mp4") as answer:
        assert (answer.status, answer.content_type, await answer.read()) == (200, "video/mp4", FILM)
        assert answer.headers["X-Request-ID"]
    async with served.admin.get("/files/film.mp4", headers={"Range": "bytes=10-19"}) as answer:
        assert (answer.status, await answer.read()) == (206, FILM[10:20])
        etag = answer.headers["ETag"]
    async with served.admin.get("/files/film.mp4", headers={"If-None-Match": etag}) as answer:
        assert answer.status == 304
    async with served.admin.head("/files/film.mp4") as answer:
        assert (answer.status, answer.headers["Content-Length"]) == (200, str(len(FILM)))
    async with served.admin.get("/files/none.mp4") as answer:
        assert (answer.status, (await answer.json())["code"]) == (404, "not_found")
    async with served.anybody.get("/files/film.mp4") as answer:
        assert (answer.status, (await answer.json())["code"]) == (401, "unauthorized")
    assert [record.getMessage() for record in caplog.records if record.name == "aiohttp.server"] == []


async def test_a_stream_is_sent_as_it_comes(served: Served) -> None:
    """And its source is closed."""
    async with served.anybody.get("/chunks/3") as answer:
        assert (answer.status, answer.content_type) == (200, "text/plain")
        assert await answer.read() == b"x" * 3000
    assert served.service.closed.is_set()
    async with served.anybody.head("/chunks/3") as answer:
        assert (answer.status, await answer.read()) == (200, b"")


async def test_a_stream_that_breaks_is_not_taken_for_whole(served: Served) -> None:
    """The connection is cut, and the service goes on."""
    with pytest.raises((ClientPayloadError, ClientConnectionError)):
        async with served.anybody.get("/chunks/9") as answer:
            await answer.read()
    async with served.anybody.get("/chunks/1") as answer:
        assert answer.status == 200


async def test_events_are_sent_to_whoever_may_hear_them(served: Served) -> None:
    """With kind and id, and a text of several lines."""
    async with served.admin.get("/news/2") as answer:
        assert (answer.status, answer.content_type) == (200, "text/event-stream")
        assert (await answer.text()).replace("\r", "") == (
            "id: 0\nevent: news\ndata: line 0\ndata: more\n\nid: 1\nevent: news\ndata: line 1\ndata: more\n\n"
        )
    async with served.anybody.get("/news/2") as answer:
        assert answer.status == 401


@pytest.mark.parametrize("path", ["/news/6", "/socket"])
async def test_a_key_that_is_revoked_ends_what_it_opened(
    served: Served, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    """Events and WebSockets alike, at the next look."""
    monkeypatch.setattr(live, "LOOK_EVERY_S", 0.02)
    async with served.admin.get("/news/6") if path != "/socket" else served.admin.ws_connect(path):
        await asyncio.sleep(0.1)
        assert not served.service.closed.is_set()
        assert await served.identities.revoke_key("admin")
        await until(served.service.closed.is_set)


async def test_what_is_live_ends_with_the_service_and_with_its_caller(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A caller that has gone is noticed though there is nothing to say, and no caller holds up the end."""
    monkeypatch.setattr(live, "LOOK_EVERY_S", 0.02)
    async with served.admin.get("/news/6") as answer:
        await answer.content.readline()
        answer.close()
    await until(served.service.closed.is_set)
    served.service.closed.clear()
    async with served.admin.get("/news/6") as answer:
        await answer.content.readline()
        async with asyncio.timeout(30):  # half of what answers under way may take
            await served.runner.cleanup()
        assert served.service.closed.is_set()


async def test_what_is_ending_keeps_nobody_else_from_it(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream whose source takes its time to close is ended once, and all others when the service ends."""
    monkeypatch.setattr(live, "LOOK_EVERY_S", 0.02)
    async with served.anybody.get("/slow") as answer:
        await answer.content.read(1)
        answer.close()
    await until(served.service.closed.is_set)
    asyncio.get_running_loop().call_later(0.2, served.service.released.set)
    await served.runner.cleanup()


async def test_how_long_a_live_reply_goes_on_is_no_duration_of_a_call(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It counts until it begins, as the numbers say of themselves."""
    ahead_s, counted = 0.0, asyncio.Event()
    monkeypatch.setattr("central.core.http.middleware.time.perf_counter", lambda: ahead_s)
    lasted: dict[str, float] = {}

    def count(operation: str, _status: int, seconds: float) -> None:
        lasted[operation] = seconds
        counted.set()

    monkeypatch.setattr(served.metrics, "count", count)
    served.service.released.set()
    async with served.anybody.get("/slow") as answer:
        await answer.content.read(1)
        ahead_s = 3600.0
    await served.runner.cleanup()
    await counted.wait()
    assert lasted == {"get_slow": 0.0}


async def test_a_websocket_whose_caller_does_not_read_is_cut_off(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would keep its connection for good."""
    monkeypatch.setattr(live, "SEND_TIMEOUT_S", 0.3)
    monkeypatch.setattr(live, "CLOSE_S", 0.1)
    reader, writer = await asyncio.open_connection(*served.runner.addresses[0], limit=1)
    upgrade = "Host: here\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    writer.write(f"GET /loud HTTP/1.1\r\n{upgrade}Sec-WebSocket-Key: {'A' * 22}==\r\n\r\n".encode())
    server = served.runner.server
    assert server is not None
    await until(served.service.closed.is_set)
    await until(lambda: not server.connections)
    writer.close()
    assert reader is not None


async def test_a_websocket_talks_both_ways(served: Served) -> None:
    """Until either hangs up; a message that is too long ends it, and nobody gets in without a key."""
    async with served.admin.ws_connect("/socket") as socket:
        assert await socket.receive_str() == "hello"
        await socket.send_str("you")
        assert await socket.receive_str() == "YOU"
        await socket.send_str("bye")
        assert await socket.receive_str() == "BYE"
        assert (await socket.receive()).type is WSMsgType.CLOSE
    assert served.service.heard == ["you", "bye"]
    async with served.admin.ws_connect("/socket") as socket:
        await socket.receive_str()
        await socket.send_str("x" * 101)
        assert (await socket.receive()).type is WSMsgType.CLOSE
    assert served.service.heard == ["you", "bye"]
    with pytest.raises(WSServerHandshakeError) as refused:
        await served.anybody.ws_connect("/socket")
    assert refused.value.status == 401
    async with served.admin.get("/socket") as answer:
        assert (answer.status, (await answer.json())["code"]) == (400, "invalid_request")


async def test_a_call_has_a_limit_of_its_own_for_bodies(served: Served) -> None:
    """Below and above the one that holds for all others, 512 KiB."""
    async with served.anybody.post("/small", json={"text": "x" * 900}) as answer:
        assert (answer.status, await answer.json()) == (200, {"text": "900"})
    async with served.anybody.post("/small", json={"text": "x" * 1000}) as answer:
        problem = await answer.json()
        assert (answer.status, problem["code"]) == (413, "payload_too_large")
        assert "at most 1000 bytes" in problem["detail"]
    async with served.anybody.post("/large", json={"text": "x" * 600_000}) as answer:
        assert (answer.status, await answer.json()) == (200, {"text": "600000"})
    async with served.anybody.post("/large", json={"text": "x" * 1_000_000}) as answer:
        assert (answer.status, (await answer.json())["code"]) == (413, "payload_too_large")


async def test_a_call_that_takes_too_long_is_given_up(served: Served) -> None:
    """With a code of its own, and a sentence that says how long it may take."""
    async with served.anybody.get("/sleep") as answer:
        problem = await answer.json()
        assert (answer.status, problem["code"]) == (504, "timed_out")
        assert "0.05 s" in problem["detail"]
