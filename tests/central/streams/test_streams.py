"""Streams of boxes: one at a time, with a code to join by."""

from __future__ import annotations

import asyncio
import re

import pytest

from agent.media.redaction import redact
from central.core.limits import MissLimit
from central.core.secrets import CODE_ALPHABET
from tests.central.support.service import Box, Central, Client, served


async def test_a_box_gets_a_stream_with_a_code_and_then_the_same_again(central: Central) -> None:
    """201 and a code that can be read aloud; 200, the same id and the same code while it is on; then a new one."""
    box = await central.box()
    made = await box.cast(title="A film", quality="720p", metadata={"room": "kitchen"})
    assert made.status == 201
    assert re.fullmatch(f"[{CODE_ALPHABET}]{{6}}", made["code"])
    assert not set("0O1IL") & set(CODE_ALPHABET)
    assert (made["title"], made["quality"], made["metadata"]) == ("A film", "720p", {"room": "kitchen"})
    again = await box.cast(url="http://nas/other.mp4", title="Another")
    assert (again.status, again["id"], again["code"], again["title"]) == (200, made["id"], made["code"], "A film")
    stopped = await box("POST", f"/api/v1/streams/{made['id']}/stop")
    assert (stopped["status"], stopped["end_reason"]) == ("ended", "stopped")
    anew = await box.cast()
    assert anew.status == 201
    assert anew["id"] != made["id"]


async def test_two_creates_at_once_give_one_stream(central: Central) -> None:
    """Whoever is second gets what the first has made."""
    for _ in range(5):
        box = await central.box()
        answers = await asyncio.gather(*(box.cast(title=str(number)) for number in range(20)))
        assert sorted(answer.status for answer in answers) == [200] * 19 + [201]
        assert len({(answer["id"], answer["code"]) for answer in answers}) == 1


async def test_also_on_two_instances(central: Central, database_url: str) -> None:
    """The database decides, not the process."""
    async with served(database_url) as other:
        for _ in range(5):
            box = await central.box()
            there = Box(other.session, box.token, id=box.id)
            answers = await asyncio.gather(*(each.cast() for each in (box, there) * 8))
            assert sorted(answer.status for answer in answers) == [200] * 15 + [201]
            assert len({answer["id"] for answer in answers}) == 1


async def test_a_stream_is_found_by_its_code_as_people_write_it(central: Central) -> None:
    """Any other box finds it by code or id while it is on, and by neither afterwards."""
    box, other = await central.box(), await central.box("hall")
    made = await box.cast()
    code = made["code"]
    for reference in (code, code.lower(), f"{code[:3]}-{code[3:]}", f"%20{code[:3]}%20{code[3:]}", made["id"]):
        found = await other("GET", f"/api/v1/streams/{reference}")
        assert (found.status, found["id"]) == (200, made["id"]), reference
    await box("POST", f"/api/v1/streams/{made['id']}/stop")
    for reference in (code, made["id"]):
        assert (await other("GET", f"/api/v1/streams/{reference}"))["code"] == "stream_not_found"
    assert (await box("GET", f"/api/v1/streams/{made['id']}"))["status"] == "ended"


async def test_guessing_codes_is_slow(central: Central) -> None:
    """After 20 wrong codes 429 says when to try again; right ones cost nothing."""
    box = await central.box()
    code = (await box.cast())["code"]
    for _ in range(30):
        assert (await box("GET", f"/api/v1/streams/{code}")).status == 200
    wrong = "BBBBBB" if code != "BBBBBB" else "CCCCCC"
    for _ in range(20):
        assert (await box("GET", f"/api/v1/streams/{wrong}")).status == 404
    limited = await box("GET", f"/api/v1/streams/{wrong}")
    assert (limited.status, limited["code"]) == (429, "too_many_requests")
    assert 1 <= int(limited.headers["Retry-After"]) <= 4
    assert (await box("GET", f"/api/v1/streams/{code}")).status == 429


async def test_who_guesses_locks_nobody_else_out(central: Central) -> None:
    """Others behind the same address, and the admin, go on; one token is limited wherever it comes from, and so are
    many tokens of one address."""
    guesser, other = await central.box(), await central.box("other")
    code = (await other.cast())["code"]
    wrong = "BBBBBB" if code != "BBBBBB" else "CCCCCC"
    for _ in range(25):
        last = await guesser("GET", f"/api/v1/streams/{wrong}")
    assert last.status == 429
    assert (await other("GET", f"/api/v1/streams/{code}")).status == 200
    for _ in range(25):
        assert (await central.admin("GET", f"/api/v1/streams/{wrong}")).status == 404
    limit = MissLimit(misses=30, monotonic=lambda: 0.0)  # of the address; no time passes, however slow this is
    central.services.streams.misses_behind = limit
    for name, expected in (("one", 404), ("two", 429)):
        box = await central.box(name)
        for _ in range(16):
            last = await box("GET", f"/api/v1/streams/{wrong}")
        assert last.status == expected, name


async def test_a_stream_is_changed_while_it_is_on(central: Central) -> None:
    """Only what is named is changed; null takes a title away; nothing of one that has ended."""
    box = await central.box()
    made = await box.cast(title="A film", metadata={"a": 1})
    path = f"/api/v1/streams/{made['id']}"
    changed = await box("PATCH", path, {"url": "rtsp://camera/door"})
    assert (changed["title"], changed["url"], changed["code"]) == ("A film", "rtsp://camera/door", made["code"])
    assert (await box("PATCH", path, {"title": None}))["title"] is None
    empty = await box("PATCH", path, {})
    assert (empty.status, empty["code"]) == (422, "invalid_request")
    await box("POST", f"{path}/stop")
    assert (await box("PATCH", path, {"title": "too late"}))["code"] == "stream_ended"


async def test_stopping_again_changes_nothing(central: Central) -> None:
    """The moment and the reason of the first time stay."""
    box = await central.box()
    path = f"/api/v1/streams/{(await box.cast())['id']}/stop"
    first = await box("POST", path)
    central.clock.forward(10)
    again = await box("POST", path)
    assert again.status == 200
    assert again.body == first.body


async def test_lists_have_filters(central: Central) -> None:
    """By status, source and box; `/streams` has what is on; a box sees its own only."""
    kitchen, hall = await central.box("kitchen"), await central.box("hall")
    old = await kitchen.cast()
    await kitchen("POST", f"/api/v1/streams/{old['id']}/stop")
    new, other = await kitchen.cast(), await hall.cast()

    async def ids(caller: Client, path: str) -> list[str]:
        return [stream["id"] for stream in (await caller("GET", path))["items"]]

    assert await ids(central.admin, "/api/v1/streams") == [other["id"], new["id"], old["id"]]
    assert await ids(central.admin, "/api/v1/streams?status=ended") == [old["id"]]
    assert await ids(central.admin, f"/api/v1/streams?device_id={kitchen.id}") == [new["id"], old["id"]]
    assert await ids(central.admin, "/api/v1/streams?source=publisher") == []
    assert await ids(central.admin, "/streams") == [other["id"], new["id"]]
    assert await ids(kitchen, "/api/v1/streams") == [new["id"], old["id"]]
    assert await ids(kitchen, "/streams") == [new["id"]]
    refused = await kitchen("GET", f"/api/v1/streams?device_id={hall.id}")
    assert (refused.status, refused["code"]) == (403, "forbidden")
    unknown = await central.admin("GET", "/api/v1/streams?state=ended")
    assert (unknown.status, unknown["errors"][0]["field"]) == (422, "state")


async def test_a_box_reaches_its_own_streams_only(central: Central) -> None:
    """It cannot start, change or stop what is another's."""
    box, other = await central.box(), await central.box("hall")
    stream = await box.cast()
    path = f"/api/v1/streams/{stream['id']}"
    for method, target, body in (
        ("POST", "/api/v1/streams", {"device_id": box.id, "url": "http://x/y"}),
        ("PATCH", path, {"title": "mine"}),
        ("POST", f"{path}/stop", None),
        ("GET", f"/api/v1/devices/{box.id}", None),
        ("PATCH", f"/api/v1/devices/{box.id}", {"name": "mine"}),
        ("PUT", f"/api/v1/devices/{box.id}/state", box.state()),
        ("POST", f"/api/v1/devices/{box.id}/events", {"events": [box.event()]}),
        ("GET", f"/api/v1/devices/{box.id}/events", None),
        ("GET", "/api/v1/devices", None),
        ("DELETE", f"/api/v1/devices/{box.id}", None),
        ("POST", "/broadcasters", {"name": "x"}),
        ("GET", "/stream-keys", None),
    ):
        answer = await other(method, target, body)
        assert (answer.status, answer["code"]) == (403, "forbidden"), (method, target)


async def test_an_address_with_a_password_is_refused(central: Central) -> None:
    """Whoever has the code would see it."""
    box = await central.box()
    for url in ("rtsp://user:secret@camera/door", "gopher://x/y", "no address", "http://a b/", ""):
        answer = await box.cast(url=url)
        assert (answer.status, answer["errors"][0]["field"]) == (422, "url")
        assert "secret" not in str(answer.body)


@pytest.mark.parametrize(
    "secret",
    [
        *(
            "http://nas/film.mp4?token=secret",
            "http://nas/film.mp4?a=1&Access_Token=secret",
            "http://cam/?api_key=secret",
        ),
        *(
            "http://cam/live?user=me&pwd=secret",
            "http://cdn/live.m3u8?X-Amz-Signature=secret",
            "http://cam/#auth=secret",
        ),
        *("srt://media:8890?passphrase=secret", "http://media/live?x=sk_" + "secret1" * 6 + "x"),
    ],
)
async def test_an_address_with_a_token_is_refused(central: Central, secret: str) -> None:
    """New or as a change: whoever has the code would see it. A box hides it itself, and is not refused then."""
    box = await central.box()
    stream = await box.cast()
    for answer in (await box.cast(url=secret), await box("PATCH", f"/api/v1/streams/{stream['id']}", {"url": secret})):
        assert (answer.status, answer["errors"][0]["field"]) == (422, "url")
        assert "a token: anyone with the join code would see it" in answer["detail"]
        assert "secret" not in str(answer.body)
    hidden = redact(secret) if "sk_" not in secret else "http://media/live"
    assert (await box("PATCH", f"/api/v1/streams/{stream['id']}", {"url": hidden})).status == 200


async def test_what_looks_like_a_secret_and_is_none_is_taken(central: Central) -> None:
    """Names of things, and the @ of an address to listen at."""
    box = await central.box()
    stream = await box.cast()
    for url in ("http://nas/film.mp4?key_id=7&monkey=1&tokens=3", "udp://@239.0.0.1:5004", "http://nas/?token="):
        changed = await box("PATCH", f"/api/v1/streams/{stream['id']}", {"url": url})
        assert changed["url"] == url


async def test_a_stream_of_a_box_that_is_not_there_is_refused(central: Central) -> None:
    """404 with a code, not a broken reference."""
    body = {"device_id": "00000000-0000-4000-8000-000000000000", "url": "http://x/y"}
    assert (await central.admin("POST", "/api/v1/streams", body))["code"] == "device_not_found"
