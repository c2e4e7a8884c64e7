"""The frame of every call: problems, request ids, the log line, and bytes that are not HTTP at all."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
from structlog.testing import capture_logs

from agent.errors import PlayerUnavailableError
from agent.frontends.http.problems import HTTP_STATUS
from agent.snapshot import TrackerSnapshot
from agent.types import ErrorCode
from tests.support.api import ScriptedTracker, Served, served

HEAD = b"Host: 127.0.0.1\r\nConnection: close\r\n\r\n"


@pytest.fixture
async def api() -> AsyncIterator[Served]:
    async with served() as api:
        yield api


def break_snapshot(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: ScriptedTracker) -> TrackerSnapshot:
        raise ZeroDivisionError("rtsp://me:hunter2@cam")

    monkeypatch.setattr(ScriptedTracker, "snapshot", fail)


def test_every_code_has_its_status() -> None:
    """The one table from code to HTTP status is whole."""
    assert set(HTTP_STATUS) == set(ErrorCode)
    assert {status for code, status in HTTP_STATUS.items() if code.startswith("media_")} == {502}


async def test_an_unknown_path_says_where_the_calls_are(api: Served) -> None:
    """The answer has the form of RFC 9457."""
    async with api.client.get("/play?secret=1") as answer:
        body = await answer.json()
    assert body == {
        "type": "about:blank",
        "title": "Not Found",
        "status": 404,
        "detail": "There is nothing here. GET /openapi.json lists the calls.",
        "instance": "/play",
        "code": "not_found",
        "errors": [],
    }


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("GET", "/start", "POST"),
        ("POST", "/status", "GET, HEAD"),
        ("DELETE", "/stop", "POST"),
        ("PATCH", "/start", "POST"),
        ("GET", "/pause", "POST"),
        ("PUT", "/volume", "POST"),
    ],
)
async def test_a_wrong_method_names_the_right_one(api: Served, method: str, path: str, allow: str) -> None:
    """A wrong method is a 405 with Allow."""
    async with api.client.request(method, path) as answer:
        assert answer.status == 405
        assert answer.headers["Allow"] == allow
        assert (await answer.json())["code"] == "method_not_allowed"


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("*/*", "application/json"),
        ("application/json", "application/json"),
        ("text/html, application/problem+json;q=0.5", "application/problem+json"),
        ("application/problem+json;q=0", "application/json"),
    ],
)
async def test_problem_type_only_for_who_asks(api: Served, accept: str, content_type: str) -> None:
    """Problems are application/json, which Home Assistant parses, unless Accept names their own type."""
    async with api.client.get("/nothing", headers={"Accept": accept}) as answer:
        assert answer.content_type == content_type


async def test_a_mistake_of_ours_shows_nothing(api: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """An unexpected exception is a 500 with the request id; its traceback is in the log only, and the box lives on."""
    break_snapshot(monkeypatch)
    with capture_logs() as logs:
        async with api.client.get("/status", headers={"X-Request-ID": "abc"}) as answer:
            assert answer.status == 500
            body = await answer.json()
    assert (body["code"], body["request_id"]) == ("internal", "abc")
    assert "hunter2" not in json.dumps(body)
    assert "ZeroDivisionError" not in json.dumps(body)
    assert [entry["exc_info"] for entry in logs if entry["event"] == "request_failed"] == [True]
    async with api.client.get("/health/live") as answer:
        assert answer.status == 200


async def test_a_request_id_is_kept_or_made(api: Served) -> None:
    """A safe id is echoed; one that is missing, too long or unsafe is replaced."""
    async with api.client.get("/status", headers={"X-Request-ID": "home.assistant-1_a"}) as answer:
        assert answer.headers["X-Request-ID"] == "home.assistant-1_a"
    for unsafe in ("", "x" * 65, "a b", "<script>"):
        async with api.client.get("/nothing", headers={"X-Request-ID": unsafe}) as answer:
            made = answer.headers["X-Request-ID"]
            assert made != unsafe
            assert len(made) == 32


async def test_one_line_per_request(api: Served) -> None:
    """Each request is one event in the log: no query, the code when it failed, the session it started."""
    api.tracker.state = TrackerSnapshot()
    with capture_logs() as logs:
        async with api.client.post("/start?wait=0.01", json={"url": "http://u:hunter2@nas/x"}) as answer:
            session_id = (await answer.json())["session_id"]
        api.tracker.refusal = PlayerUnavailableError("no display")
        async with api.client.post("/start", json={"url": "http://nas/x"}):
            pass
        async with api.client.get("/status?token=hunter2"):
            pass
        async with api.client.get("/rtsp:/me:hunter2@cam/1"):
            pass
        async with api.client.get("/health/live"):
            pass
    started, refused, looked, lost, live = (entry for entry in logs if entry["event"] == "request_completed")
    assert (started["method"], started["path"], started["status"]) == ("POST", "/start", 200)
    assert started["session_id"] == session_id
    assert started["peer"] == "127.0.0.1"
    assert started["duration_ms"] >= 10
    assert (refused["status"], refused["code"]) == (503, "player_unavailable")
    assert looked["path"] == "/status"
    assert (lost["status"], looked["log_level"], live["log_level"]) == (404, "info", "debug")
    assert "hunter2" not in str(logs)


@pytest.mark.parametrize(
    "data",
    [
        b"hello\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x80" * 40 + b"\r\n\r\n",
        b"GET /status HTTP/9.9\r\n" + HEAD,
        b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\n" + HEAD,
        b"GET /status HTTP/1.1\r\nX: " + b"x" * 9000 + b"\r\n" + HEAD,
        b"GET /status HTTP/1.1\r\n" + b"X: y\r\n" * 500 + HEAD,
        b"POST /start HTTP/1.1\r\nContent-Length: -5\r\n" + HEAD,
        b"POST /start HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n" + HEAD,
    ],
)
async def test_what_is_not_http_is_a_problem_too(api: Served, data: bytes) -> None:
    """Bytes that are not HTTP, and lines that are too long, are answered with a 400 problem and closed."""
    raw = await api.raw(data)
    head, _, body = raw.partition(b"\r\n\r\n")
    assert head.split(b" ")[1] == b"400"
    assert json.loads(body)["code"] == "invalid_request"


@pytest.mark.parametrize(
    ("line", "status"),
    [
        (b"GET http://elsewhere/status HTTP/1.1", 200),
        (b"GET //status HTTP/1.1", 404),
        (b"GET /status/ HTTP/1.1", 404),
        (b"GET /%00%ff HTTP/1.1", 404),
        (b"GET /../../etc/passwd HTTP/1.1", 404),
        (b"OPTIONS * HTTP/1.1", 404),
        (b"CONNECT nas:443 HTTP/1.1", 404),
        (b"HEAD /status HTTP/1.1", 200),
        (b"POST /stop HTTP/1.1\r\nExpect: wonders", 200),
        (b"POST /stop HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade", 200),
    ],
)
async def test_odd_requests_are_answered(api: Served, line: bytes, status: int) -> None:
    """Requests that are HTTP, but of a kind that nobody needs, get a plain answer."""
    raw = await api.raw(line + b"\r\n" + HEAD)
    assert raw.split(b" ")[1] == str(status).encode(), raw


async def test_a_body_that_waits_for_our_word_is_read(api: Served) -> None:
    """`Expect: 100-continue`, which curl sends with larger bodies, gets its word and then the answer."""
    body = b'{"url": "http://nas/film.mp4"}'
    reader, writer = await asyncio.open_connection(api.host, api.port)
    head = f"POST /start HTTP/1.1\r\nContent-Length: {len(body)}\r\nExpect: 100-continue\r\n"
    writer.write(head.encode() + HEAD)
    assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    writer.write(body)
    assert (await reader.read()).startswith(b"HTTP/1.1 200 ")
    writer.close()


async def test_a_caller_that_cuts_its_body_off_is_no_mistake_of_ours(api: Served) -> None:
    """A connection that breaks in the middle of a body starts nothing and is not logged as our mistake."""
    with capture_logs() as logs:
        _, writer = await asyncio.open_connection(api.host, api.port)
        writer.write(b'POST /start HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 50\r\n\r\n{"url": ')
        await writer.drain()
        async with api.client.get("/status") as answer:
            assert answer.status == 200
        writer.transport.abort()
        async with asyncio.timeout(5):
            while not any(entry.get("path") == "/start" for entry in logs):
                async with api.client.get("/health/live"):
                    pass
    assert not [entry for entry in logs if entry["event"] == "request_failed"]
    assert not api.tracker.requests


async def test_a_caller_that_never_finishes_its_headers_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that sends half a request and then nothing is closed after the keep-alive time."""
    monkeypatch.setattr("cast_http.server.KEEPALIVE_S", 0.2)
    async with served() as api:
        assert await api.raw(b"POST /start HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ") == b""


async def test_a_caller_who_sends_many_requests_ahead_holds_up_nobody(api: Served) -> None:
    """The loop turns between any two of them."""
    many, turns, over = 300, 0, asyncio.Event()

    async def turn() -> None:
        nonlocal turns
        while not over.is_set():
            await asyncio.sleep(0)
            turns += 1

    reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
    async with asyncio.TaskGroup() as beside:
        beside.create_task(turn())
        writer.write(b"GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" * many)
        answers = b""
        while answers.count(b"HTTP/1.1 200 OK") < many:
            answers += await reader.read(65536)
        over.set()
    writer.close()
    await writer.wait_closed()
    assert turns >= many
