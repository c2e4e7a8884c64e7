"""Live streams: made with their addresses, on when their publisher is, stopped, changed and ended."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from central.live import repository
from tests.central.support.mediamtx import FakeControlApi, fake_control_api
from tests.central.support.service import Answered, Central, served


@pytest.fixture
async def central(sqlite_url: str, control: FakeControlApi) -> AsyncIterator[Central]:
    """With a public address of MediaMTX, and its control API."""
    media = {"public_url": "https://media.example", "api_url": control.url}
    async with served(sqlite_url, mediamtx=media) as made:
        yield made


@pytest.fixture
async def control() -> AsyncIterator[FakeControlApi]:
    async with fake_control_api() as made:
        yield made


async def new(central: Central, **changes: Any) -> Answered:
    made = await central.admin("POST", "/api/v1/live", {"title": "Front door"} | changes)
    assert made.status == 201, made.body
    return made


async def publish(central: Central, live: Answered, control: FakeControlApi | None = None) -> None:
    """Its publisher comes."""
    assert (await central.auth(live["key_value"], live["path"])).status == 200
    if control is not None:
        control.put_on(live["path"], "c1")
    assert (await central.ready(live["path"])).status == 200


async def get(central: Central, live: Answered) -> Answered:
    return await central.admin("GET", f"/api/v1/live/{live['id']}")


async def test_a_live_stream_has_addresses_in_the_form_of_each_protocol(central: Central) -> None:
    """MediaMTX finds the path and the key in each; lists and single answers do not have the key."""
    live = await new(central)
    path, key, publish = f"live/{live['id']}", live["key_value"], live["publish"]
    rtmp, rtsp, srt = (urlsplit(publish[name]) for name in ("rtmp", "rtsp", "srt"))
    assert (rtmp.scheme, rtmp.netloc, rtmp.path) == ("rtmp", "media.example:1935", f"/{path}")
    assert parse_qs(rtmp.query) == {"user": ["any"], "pass": [key]}
    assert (rtsp.scheme, rtsp.hostname, rtsp.port, rtsp.path) == ("rtsp", "media.example", 8554, f"/{path}")
    assert (rtsp.username, rtsp.password) == ("any", key)
    assert (srt.scheme, srt.netloc) == ("srt", "media.example:8890")
    [stream_id] = parse_qs(srt.query)["streamid"]
    assert stream_id.split(":") == ["publish", path, "any", key]
    assert publish["whip"] == f"https://media.example:8889/{path}/whip"
    assert live["urls"] == {
        "hls": f"https://media.example:8888/{path}/index.m3u8",
        "webrtc": f"https://media.example:8889/{path}/whep",
        "rtsp": f"rtsp://media.example:8554/{path}",
    }
    for answer in (await get(central, live), await central.admin("GET", "/api/v1/live")):
        assert answer.status == 200
        assert key not in str(answer.body)
    assert live.headers["Location"] == f"/api/v1/live/{live['id']}"


async def test_addresses_of_a_media_server_behind_a_proxy(sqlite_url: str) -> None:
    """Those that are set whole are used as they are; without any address of MediaMTX there is none."""
    media = {
        "webrtc_url": "https://media.example/webrtc",
        "rtsp_url": "rtsps://media.example/cameras",
        "rtmp_url": "rtmps://media.example:443",
        "srt_url": "srt://media.example:9000",
    }
    async with served(sqlite_url, mediamtx=media) as central:
        live = await new(central)
        assert live["publish"]["whip"] == f"https://media.example/webrtc/{live['path']}/whip"
        assert live["publish"]["rtsp"] == f"rtsps://any:{live['key_value']}@media.example/cameras/{live['path']}"
        assert live["publish"]["rtmp"].startswith(f"rtmps://media.example:443/{live['path']}?")
        assert live["publish"]["srt"].startswith("srt://media.example:9000?streamid=publish:")
    async with served(sqlite_url) as central:
        live = await new(central)
        assert set(live["publish"].values()) == set(live["urls"].values()) == {None}


async def test_it_is_live_while_its_publisher_is_there(central: Central) -> None:
    """Waiting, then live with the join code of its stream, which has its title; away, and waiting again."""
    live = await new(central)
    assert (live["state"], live["code"], live["stream_id"]) == ("waiting", None, None)
    await publish(central, live)
    on = await get(central, live)
    stream = await central.admin("GET", f"/api/v1/streams/{on['code']}")
    assert (on["state"], on["stream_id"], on["started_at"]) == ("live", stream["id"], stream["started_at"])
    assert (stream["title"], stream["path"], stream["stream_key_id"]) == ("Front door", live["path"], live["id"])
    await central.not_ready(live["path"])
    assert (away := await get(central, live))["state"] == "live"
    assert away["interrupted_at"] is not None
    central.clock.forward(11)
    await central.services.media.interruptions.once()
    assert (await get(central, live))["state"] == "waiting"


async def test_only_its_key_opens_its_path_and_only_that(central: Central) -> None:
    live = await new(central)
    assert (await central.auth(live["key_value"], "live/other"))["code"] == "path_not_allowed"


async def test_a_new_title_is_told_of_what_is_on(central: Central) -> None:
    """Viewers see it at once."""
    live = await new(central)
    await publish(central, live)
    changed = await central.admin("PATCH", f"/api/v1/live/{live['id']}", {"title": "Back door"})
    assert (changed.status, changed["title"]) == (200, "Back door")
    assert (await central.admin("GET", f"/api/v1/streams/{changed['code']}"))["title"] == "Back door"


async def test_a_publisher_that_is_stopped_may_come_back(central: Central, control: FakeControlApi) -> None:
    """It is disconnected, and its next stream has another code. Nothing is to be stopped twice."""
    live = await new(central)
    await publish(central, live, control)
    code = (await get(central, live))["code"]
    stopped = await central.admin("POST", f"/api/v1/live/{live['id']}/stop")
    assert (stopped.status, stopped["state"], stopped["code"]) == (200, "waiting", None)
    assert control.kicked == ["rtspsessions/c1"]
    assert (await central.admin("POST", f"/api/v1/live/{live['id']}/stop")).status == 200
    await publish(central, live)
    assert (await get(central, live))["code"] not in (None, code)


async def test_an_ended_one_stays_in_the_list_and_lets_nobody_in(central: Central, control: FakeControlApi) -> None:
    """Its publisher is disconnected; ending it again changes nothing."""
    live = await new(central)
    await publish(central, live, control)
    for _ in range(2):
        assert (await central.admin("DELETE", f"/api/v1/live/{live['id']}")).status == 204
    ended = await get(central, live)
    assert (ended["state"], ended["code"]) == ("ended", None)
    assert control.kicked == ["rtspsessions/c1"]
    assert (await central.auth(live["key_value"], live["path"]))["code"] == "key_revoked"


async def test_the_list_by_state_and_in_pages(database_url: str) -> None:
    """The newest first; an expired one has ended, unless its publisher is still on. What ended long ago is deleted."""
    async with served(database_url) as central:
        await look_through(central)
        before = central.clock() + timedelta(seconds=1)
        deleted = await central.services.database.write(
            lambda session: repository.forget(session, before=before, limit=10)
        )
        assert deleted == 1
        assert len((await central.admin("GET", "/api/v1/live"))["items"]) == 3


async def look_through(central: Central) -> None:
    soon = (central.clock.at + timedelta(hours=1)).isoformat()
    waiting, on, expired, still_on = [
        await new(central, title=title, **more)
        for title, more in (("a", {}), ("b", {}), ("c", {"expires_at": soon}), ("d", {"expires_at": soon}))
    ]
    await publish(central, on)
    assert (await central.auth(still_on["key_value"], still_on["path"], "c2")).status == 200
    await central.ready(still_on["path"], "c2")
    await central.key()  # not one of them
    central.clock.forward(3601)

    async def titles(query: str = "") -> list[str]:
        return [live["title"] for live in (await central.admin("GET", f"/api/v1/live{query}"))["items"]]

    assert await titles() == ["d", "c", "b", "a"]
    assert await titles("?state=waiting") == ["a"]
    assert await titles("?state=live") == ["d", "b"]
    assert await titles("?state=ended") == ["c"]
    assert [(await get(central, live))["state"] for live in (waiting, on, expired, still_on)] == [
        "waiting",
        "live",
        "ended",
        "live",
    ]
    first = await central.admin("GET", "/api/v1/live?limit=3")
    assert len(first["items"]) == 3
    assert await titles(f"?limit=3&cursor={first['next_cursor']}") == ["a"]


async def test_what_is_none_of_them_is_not_found(central: Central) -> None:
    """A stream key without a title is no live stream."""
    key = await central.key()
    for method, path in (("GET", ""), ("DELETE", ""), ("POST", "/stop")):
        answer = await central.admin(method, f"/api/v1/live/{key['id']}{path}")
        assert (answer.status, answer["code"]) == (404, "stream_not_found"), method
    assert (await central.admin("GET", f"/stream-keys/{key['id']}"))["status"] == "active"


async def test_bad_input_is_named(central: Central) -> None:
    for wrong in ({"title": ""}, {"expires_at": "2001-01-01T00:00:00Z"}, {"path": "live/mine"}, {"record": 0}):
        answer = await central.admin("POST", "/api/v1/live", {"title": "Front door"} | wrong)
        assert (answer.status, answer["errors"][0]["field"]) == (422, next(iter(wrong)))
