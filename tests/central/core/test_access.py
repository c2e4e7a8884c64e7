"""The callers that get in, and the values that nobody gets to see."""

from __future__ import annotations

import asyncio
import base64
import io
import json
from datetime import datetime, timedelta

import pytest
import structlog
from aiohttp import ClientSession
from yarl import URL

from central.core.http.guard import Guard
from central.core.log import configure, redact
from central.core.settings import LogSettings
from tests.central.support.service import Central, Client, served

SECRET = "a-secret-of-the-tests"


async def test_every_call_but_health_and_the_description_needs_a_key(central: Central) -> None:
    """401 with how to send it; an unknown key is as good as none."""
    assert (await central.anybody("GET", "/health")).status == 200
    assert (await central.anybody("GET", "/openapi.json")).status == 200
    document = (await central.anybody("GET", "/openapi.json")).body
    stranger = Client(central.session, "ak_" + "x" * 43)
    tried = 0
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if {"key": []} not in operation["security"] or {} in operation["security"]:
                continue
            target = path.replace("{id}", "0" * 8 + "-0000-4000-8000-" + "0" * 12).replace("{stream}", "x")
            for caller in (central.anybody, stranger, Client(central.session, "nonsense")):
                answer = await caller(method.upper(), target)
                assert (answer.status, answer["code"]) == (401, "unauthorized"), (method, path)
                assert answer.headers["WWW-Authenticate"] == "Bearer"
            tried += 1
    assert tried > 20


async def test_a_revoked_admin_key_opens_nothing(central: Central) -> None:
    """From the next request on; its name can be used again."""
    key = await central.services.access.add_key("laptop")
    laptop = Client(central.session, None, {"X-API-Key": key})
    assert (await laptop("GET", "/streams")).status == 200
    assert await central.services.access.revoke_key("laptop")
    assert (await laptop("GET", "/streams")).status == 401
    await central.services.access.add_key("laptop")


async def test_an_enrolment_token_enrols_and_nothing_else(central: Central) -> None:
    """403 for what it is not for."""
    token = await central.services.boxes.enrolments.add(uses=3, valid_for=timedelta(hours=1))
    assert (await Client(central.session, token)("GET", "/streams"))["code"] == "forbidden"
    box = await central.box()
    assert (await box("POST", "/api/v1/devices", {"name": "x"}))["code"] == "forbidden"


@pytest.mark.parametrize(
    "sent",
    [
        b"NOT HTTP ak_secret\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: x\r\nAuthorization : Basic c2VjcmV0\r\n\r\n",
        b"GET /" + b"secret" * 2000 + b" HTTP/1.1\r\n\r\n",
        b"POST /broadcasters HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nsecret\r\n",
    ],
    ids=["line", "header", "length", "chunk"],
)
async def test_what_is_not_http_is_a_problem_too(central: Central, sent: bytes) -> None:
    """In the same form; neither the answer nor the log repeats what was sent."""
    with structlog.testing.capture_logs() as logged:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(central.url.rpartition(":")[2]))
        writer.write(sent)
        async with asyncio.timeout(5):
            head, _, body = (await reader.read()).partition(b"\r\n\r\n")
        writer.close()
        await writer.wait_closed()
    assert head.startswith(b"HTTP/1.0 400 ")
    assert json.loads(body)["code"] == "invalid_request"
    for told in (body.decode(), str(logged)):
        assert "secret" not in told
        assert "c2VjcmV0" not in told
    assert "Traceback" not in str(logged)


async def test_errors_are_problems_of_rfc_9457(central: Central) -> None:
    """With a code, the fields and the request id; as problem+json for those who ask for it."""
    answer = await central.admin(
        "POST", "/broadcasters", {"nam": "x", "metadata": 3}, headers={"X-Request-ID": "abc.1"}
    )
    assert answer.status == 422
    assert {error["field"] for error in answer["errors"]} == {"nam", "name", "metadata"}
    assert "did you mean name?" in str(answer["errors"])
    assert (answer["request_id"], answer.headers["X-Request-ID"]) == ("abc.1", "abc.1")
    assert (answer["title"], answer["instance"]) == ("Unprocessable Entity", "/broadcasters")
    assert answer.headers["Content-Type"].startswith("application/json")
    missing = await central.anybody("GET", "/nothing", headers={"Accept": "application/problem+json"})
    assert (missing.status, missing["code"]) == (404, "not_found")
    assert missing.headers["Content-Type"].startswith("application/problem+json")
    no_id = await central.admin("GET", "/broadcasters/5")
    assert (no_id.status, no_id["code"]) == (404, "not_found")
    assert "nothing with this id" in no_id["detail"]
    wrong = await central.admin("PUT", "/broadcasters")
    assert (wrong.status, wrong["code"], wrong.headers["Allow"]) == (405, "method_not_allowed", "GET, HEAD, POST")


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[1]",
        b"\xff",
        b'{"name": NaN}',
        b'{"name": "a\\u0000b"}',
        b'{"name": "\\ud800"}',
        b"[" * 100_000,
        b"",
        b"null",
    ],
)
async def test_bad_bodies_are_refused(central: Central, body: bytes) -> None:
    """A body that cannot be read is a 422."""
    answer = await central.admin("POST", "/broadcasters", data=body)
    assert (answer.status, answer["code"]) == (422, "invalid_request")


async def test_a_body_that_is_too_large_is_refused(central: Central) -> None:
    """413, before it is read whole."""
    answer = await central.admin("POST", "/broadcasters", data=b'{"name": "' + b"x" * 600_000 + b'"}')
    assert (answer.status, answer["code"]) == (413, "payload_too_large")


async def test_media_calls_from_elsewhere_need_the_secret(database_url: str) -> None:
    """With a secret, calls from this machine need it, too: a proxy may be there. None of these is the right one."""
    async with served(database_url, mediamtx={"secret": SECRET}) as central:
        path, body = "/webhook/not-ready", {"path": "live/one"}
        for headers in (
            {},
            {"X-Forwarded-For": "127.0.0.1"},
            {"X-Forwarded-For": "203.0.113.9"},
            {"Forwarded": "for=127.0.0.1"},
            {"Origin": "http://evil.example"},
        ):
            assert (await central.anybody("POST", path, body, headers=headers)).status == 401, headers
            for good in (_basic(SECRET), f"Bearer {SECRET}"):
                with_secret = headers | {"Authorization": good}
                assert (await central.anybody("POST", path, body, headers=with_secret)).status == 200
            assert (
                await central.anybody("POST", path, body, headers=headers | {"Authorization": _basic("no")})
            ).status == 401
        assert (await central.anybody("POST", path, body, headers={"Authorization": _basic("wrong")})).status == 401


async def test_without_a_secret_only_this_machine_is_answered(database_url: str) -> None:
    """A call through a proxy is from elsewhere; so is a page in a browser of this machine."""
    async with served(database_url) as central:
        path, body = "/webhook/not-ready", {"path": "live/one"}
        assert (await central.anybody("POST", path, body)).status == 200
        for headers in (
            {"X-Forwarded-For": "127.0.0.1"},
            {"X-Forwarded-Host": "central.example"},
            {"Forwarded": "for=127.0.0.1"},
            {"X-Real-IP": "127.0.0.1"},
            {"Via": "1.1 proxy"},
            {"Origin": "http://evil.example"},
        ):
            assert (await central.anybody("POST", path, body, headers=headers)).status == 401, headers
            assert (
                headers.keys() == {"Origin"}
                or (await central.anybody("GET", "/metrics", headers=headers)).status == 401
            )


async def test_a_trusted_proxy_on_this_machine_makes_nobody_local(database_url: str) -> None:
    """Whatever it or its client says: this machine's own addresses are nobody's behind a proxy."""
    api = {"host": "127.0.0.1", "port": 0, "trusted_proxies": ["127.0.0.1"]}
    async with served(database_url, api=api, mediamtx={"addresses": ["127.0.0.2"]}) as central:
        for headers in ({}, {"X-Forwarded-For": "127.0.0.1"}, {"X-Forwarded-For": "127.0.0.2"}):
            assert (await central.anybody("POST", "/webhook/not-ready", {"path": "x"}, headers=headers)).status == 401
            assert (await central.anybody("GET", "/metrics", headers=headers)).status == 401


async def test_trusted_proxies_tell_who_calls(database_url: str) -> None:
    """The nearest hop that is not theirs counts, and what is before it may be invented."""
    async with served(
        database_url,
        api={"host": "127.0.0.1", "port": 0, "trusted_proxies": ["127.0.0.1", "10.0.0.0/8"]},
        mediamtx={"addresses": ["192.0.2.0/24"]},
    ) as central:
        for hops, status in (
            ("192.0.2.7", 200),
            ("203.0.113.9, 192.0.2.7", 200),
            ("192.0.2.7, 203.0.113.9", 401),
            ("192.0.2.7, 10.1.2.3", 200),
            ("203.0.113.9", 401),
            ("nonsense", 401),
        ):
            answer = await central.anybody(
                "POST", "/webhook/not-ready", {"path": "x"}, headers={"X-Forwarded-For": hops}
            )
            assert answer.status == status, hops


async def test_metrics_are_for_this_machine_and_admins(central: Central) -> None:
    """They count what was answered."""
    text = (await central.anybody("GET", "/metrics")).body
    assert "cast_central_devices_online 0.0" in text
    await central.admin("GET", "/streams")
    text = (await central.anybody("GET", "/metrics")).body
    assert 'cast_central_requests_total{operation="list_streams",status="200"} 1.0' in text
    away = {"X-Forwarded-For": "203.0.113.9"}
    assert (await central.anybody("GET", "/metrics", headers=away)).status == 401
    assert (await central.admin("GET", "/metrics", headers=away)).status == 200


async def test_reads_are_checked_if_wanted(database_url: str) -> None:
    """Then the join code, a device token or an admin key opens them; guessing codes is slow."""
    async with served(database_url, mediamtx={"reads": "checked", "secret": SECRET}) as central:
        key = (await central.key())["key"]
        await central.auth(key)
        code = (await central.ready())["code"]
        box = await central.box()
        assert box.token is not None
        assert central.admin.token is not None
        for action in ("read", "playback"):
            assert (await central.auth("", action=action)).status == 401
            assert (await central.auth(key, action=action)).status == 401
            for shown in (code, code.lower(), box.token, central.admin.token):
                assert (await central.auth(shown, action=action)).status == 200
            assert (await central.auth("", action=action, query=f"code={code}")).status == 200
            assert (await central.auth(code, "live/other", action=action)).status == 401
        for _ in range(20):
            await central.auth("BBBBBB", action="read", ip="203.0.113.4")
        assert (await central.auth("BBBBBB", action="read", ip="203.0.113.4")).status == 429
        assert (await central.auth(code, action="read")).status == 200
        assert (await central.auth(SECRET, action="api")).status == 200
        assert (await central.auth(central.admin.token, action="metrics")).status == 200
        assert (await central.auth(code, action="api")).status == 401


async def test_a_key_in_the_path_is_taken_if_wanted(database_url: str) -> None:
    """By default it is not."""
    async with served(database_url, mediamtx={"key_in_path": True}) as central:
        key = (await central.key())["key"]
        assert (await central.auth("", f"live/{key}")).status == 200
    async with served(database_url) as central:
        key = (await central.key())["key"]
        assert (await central.auth("", f"live/{key}")).status == 401


async def test_no_token_gets_into_the_log(database_url: str) -> None:
    """Not from headers, bodies, queries, paths or request ids; each request has one line with duration and status."""
    stream = io.StringIO()
    configure(LogSettings(format="json", level="debug"), stream=stream)
    async with served(database_url, mediamtx={"secret": SECRET}) as central:
        key = (await central.key())["key"]
        box = await central.box()
        tokens = [key, box.token, central.admin.token]
        for token in tokens:
            assert token is not None
            await central.auth(token, query=f"key={token}", headers={"X-Request-ID": token})
            await central.anybody("GET", f"/streams?key={token}", headers={"Authorization": f"Bearer {token}"})
            await central.admin("GET", f"/streams/{token}")
        secret = {"Authorization": _basic(SECRET), "Origin": "http://elsewhere.example"}
        assert (await central.anybody("POST", "/webhook/not-ready", {"path": "x"}, headers=secret)).status == 200
        async with ClientSession() as session, session.get(f"{central.url}/http://user:secret@camera/") as answer:
            assert answer.status == 404
    text = stream.getvalue()
    lines = [json.loads(line) for line in text.splitlines()]
    requests = [line for line in lines if line["event"] == "request_completed"]
    assert all({"status", "duration_ms", "request_id", "method", "path"} <= line.keys() for line in requests)
    assert [line for line in requests if line["path"] == "/auth"]
    for token in [*tokens, SECRET, _basic(SECRET), "secret@"]:
        assert token is not None
        assert token not in text


async def test_no_code_and_no_name_of_a_box_gets_into_the_log(database_url: str) -> None:
    """Join codes in paths, tokens behind a long path or percent-encoded, and names that look like somebody else's."""
    stream = io.StringIO()
    configure(LogSettings(format="json", level="debug"), stream=stream)
    async with served(database_url) as central:
        box = await central.box("device admin")
        made = await box.cast()
        await box("GET", f"/api/v1/streams/{made['code']}")
        await box("GET", f"/api/v1/streams/{made['id']}")
        await box("GET", f"/nothing/{made['code'].lower()}")
        await central.anybody("GET", f"/{'x' * 100}/{central.admin.token}")
        encoded = "".join(f"%{ord(character):02x}" for character in box.token or "")
        async with ClientSession() as session, session.get(URL(f"{central.url}/y/{encoded}", encoded=True)):
            pass
    text = stream.getvalue()
    requests = [json.loads(line) for line in text.splitlines() if '"request_completed"' in line]
    paths = [line["path"] for line in requests]
    assert "/api/v1/streams/{stream}" in paths
    assert f"/api/v1/streams/{made['id']}" in paths
    assert "/nothing/***" in paths
    assert {line.get("caller") for line in requests if "streams" in line["path"]} == {f"device {box.id}"}
    for secret in (made["code"], str(box.token)[:20], str(central.admin.token)[:20], encoded[:40], "device admin"):
        assert secret.lower() not in text.lower(), secret


@pytest.mark.parametrize("name", ["kit\u200bchen", "nehctik\u202e", "\u200d", "\u2800\u00ad"])
async def test_a_name_is_what_it_looks_like(central: Central, name: str) -> None:
    """Nothing invisible is in it, and nothing that turns it around; a family of emoji may be."""
    refused = await central.admin("POST", "/broadcasters", {"name": name})
    assert (refused.status, refused["code"]) == (422, "invalid_request")
    family = await central.admin("POST", "/broadcasters", {"name": "\U0001f468\u200d\U0001f469\u200d\U0001f467"})
    assert family.status == 201


TOKEN = "sk_" + "Ab9-_x" * 7 + "Q"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"/live/{TOKEN}", "/live/sk_***"),
        (f"/live/{TOKEN.replace('_', '%5F')}", "/live/sk_***"),
        (f"/live/{TOKEN.replace('_', '%255F')}", "/live/sk_***"),
        (f"/live/{TOKEN[:24]}", "/live/sk_***"),
        ("/live/sk_short", "/live/sk_short"),
        ("100%25", "100%25"),
        (
            "http://s3/a?partNumber=1&X-Amz-Signature=0ab&x-amz-date=1",
            "http://s3/a?partNumber=1&X-Amz-Signature=***&x-amz-date=1",
        ),
        (
            "http://s3/a?X-Amz-Credential=AK%2F2026&X-Amz-Security-Token=a",
            "http://s3/a?X-Amz-Credential=***&X-Amz-Security-Token=***",
        ),
    ],
)
def test_a_token_is_hidden_in_whatever_form(text: str, expected: str) -> None:
    """Whole or cut, plain or percent-encoded once or twice; what is none stays as it is."""
    assert redact(text) == expected


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (f"/live/{TOKEN}", "/live/sk_***"),
        (f"/live/{TOKEN.replace('sk_', '%73%6B%5F')}", "/live/sk_***"),
        ("rtsp://me:secret@camera/1", "rtsp://***@camera/1"),
        ("/streams?code=K7QF2M", "/streams?code=***"),
        ({"inner": f"/live/{TOKEN}"}, "{'inner': '/live/sk_***'}"),
        ("\x1b[2J", "\\x1b[2J"),
        ("\x7f", "\\x7f"),
        ("K\xfcche\u2028", "K\xfcche\\u2028"),
        ("plain", "plain"),
        (1.5, 1.5),
        (None, None),
    ],
)
def test_a_line_of_json_hides_what_each_value_hides(value: object, written: object) -> None:
    """Most lines are looked at as a whole."""
    stream = io.StringIO()
    configure(LogSettings(format="json"), stream=stream)
    structlog.stdlib.get_logger("somewhere").info("value_seen", value=value, status=200)
    line = json.loads(stream.getvalue())
    assert (line["event"], line["value"], line["status"]) == ("value_seen", written, 200)
    assert list(line)[:4] == ["timestamp", "level", "logger", "event"]


def test_a_guard_without_a_secret_knows_none() -> None:
    """An empty password is not the secret that was never set."""
    guard = Guard(None)  # type: ignore[arg-type]
    assert not guard.is_shared_secret("")
    assert not guard.is_shared_secret("None")


def _basic(password: str) -> str:
    return "Basic " + base64.b64encode(f"mediamtx:{password}".encode()).decode()


async def test_what_can_be_changed_tells_when_it_was(central: Central) -> None:
    """Boxes, broadcasters, stream keys and streams; a heartbeat or a publisher is no change."""

    async def updated(path: str) -> datetime:
        return datetime.fromisoformat((await central.admin("GET", path))["updated_at"])

    box, made, key = await central.box(), central.clock.at, await central.key()
    stream = await box.cast()
    broadcaster = f"/broadcasters/{key['broadcaster_id']}"
    changes = {
        f"/api/v1/devices/{box.id}": {"name": "Hall"},
        broadcaster: {"name": "Radio"},
        f"/api/v1/streams/{stream['id']}": {"title": "Film"},
    }
    central.clock.forward(60)
    await box.put(box.state())
    await central.auth(key["key"])
    for path, change in changes.items():
        assert await updated(path) == made
        assert (await central.admin("PATCH", path, change)).status == 200
        assert await updated(path) == central.clock.at
    assert await updated(f"/stream-keys/{key['id']}") == made
    await central.admin("DELETE", f"/stream-keys/{key['id']}")
    assert await updated(f"/stream-keys/{key['id']}") == central.clock.at
