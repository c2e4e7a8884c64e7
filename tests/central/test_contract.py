"""The calls that callers of the first version of such an API rely on, beside our own names."""

from __future__ import annotations

import pytest
from aiohttp import ClientSession

from cast_http.openapi import document
from central.description import OPERATIONS, SERVICE
from tests.central.support.service import Central, Client, served

SECRET = "a-secret-of-16-or-more"


def test_what_goes_with_a_later_version_is_marked() -> None:
    """In the description of the calls."""
    described = document(SERVICE, OPERATIONS)
    schemas = described["components"]["schemas"]
    assert schemas["NewStreamKey"]["properties"]["key"]["deprecated"] is True
    assert schemas["LiveStreams"]["properties"]["items"]["deprecated"] is True
    for path, method in (("/webhook/ready", "post"), ("/webhook/not-ready", "post"), ("/stream-keys/{id}", "delete")):
        [prefer] = [each for each in described["paths"][path][method]["parameters"] if each["name"] == "Prefer"]
        assert prefer["deprecated"] is True


async def test_a_new_key_is_told_under_both_names(central: Central) -> None:
    """`key_value`, and `key` for a while."""
    made = await central.key()
    assert made["key_value"] == made["key"]
    assert made["key_value"].startswith("sk_")


async def test_what_needs_no_answer_has_none_unless_it_is_asked_for(central: Central) -> None:
    """Revoking and MediaMTX's hooks answer 204; with `Prefer: return=representation` 200 and what was done."""
    key = await central.key()
    ready = {"path": "live/one", "source_type": "rtspSession", "source_id": "c1"}
    gone = {"path": "live/one", "source_id": "c1"}
    admin = {"Authorization": f"Bearer {central.admin.token}"}
    calls: tuple[tuple[str, str, dict[str, str] | None, dict[str, str], str], ...] = (
        ("POST", "/webhook/ready", ready, {}, "stream_id"),
        ("POST", "/webhook/not-ready", gone, {}, "ended"),
        ("DELETE", f"/stream-keys/{key['id']}", None, admin, "status"),
    )
    assert (await central.auth(key["key_value"])).status == 200
    async with ClientSession(central.url) as session:
        for method, path, body, headers, field in calls:
            async with session.request(method, path, json=body, headers=headers) as answer:
                assert (answer.status, await answer.read()) == (204, b""), path
            if path != "/webhook/not-ready":
                preferring = headers | {"Prefer": "respond-async, return=representation"}
                async with session.request(method, path, json=body, headers=preferring) as answer:
                    assert (answer.status, field in await answer.json()) == (200, True), path
        async with session.post("/webhook/ready", json={"path": "live/nobody"}) as answer:
            assert answer.status == 409


async def test_what_is_on_is_counted(central: Central) -> None:
    """`streams` and `count`; `items` has the same for a while."""
    await (await central.box()).cast()
    key = (await central.key())["key_value"]
    await central.auth(key)
    await central.ready()
    listed = await central.admin("GET", "/streams")
    assert (listed["count"], len(listed["streams"]), listed["next_cursor"]) == (2, 2, None)
    assert listed["items"] == listed["streams"]
    assert (await central.admin("GET", "/streams?limit=1"))["count"] == 1


async def test_the_details_of_a_stream(central: Central) -> None:
    """The details name the publisher, its source and the duration; a box's stream has no publisher."""
    key = await central.key()
    await central.auth(key["key_value"])
    stream_id = (await central.ready())["stream_id"]
    central.clock.forward(90)
    detail = await central.admin("GET", f"/streams/{stream_id}")
    assert detail["broadcaster"] == {"id": key["broadcaster_id"], "name": key["broadcaster_name"]}
    assert (detail["source_type"], detail["duration"]) == ("rtspSession", 90.0)
    await central.not_ready()
    central.clock.forward(5)
    assert (await central.admin("GET", f"/streams/{stream_id}"))["duration"] == 90.0
    central.clock.forward(10)
    await central.services.media.interruptions.once()
    await central.admin("DELETE", f"/broadcasters/{key['broadcaster_id']}")
    ended = await central.admin("GET", f"/streams/{stream_id}")
    assert (ended["broadcaster"], ended["duration"], ended["status"]) == (None, 90.0, "ended")
    box = await central.box()
    shown = await central.admin("GET", f"/streams/{(await box.cast())['id']}")
    assert (shown["broadcaster"], shown["source_type"], shown["duration"]) == (None, None, 0.0)


@pytest.mark.parametrize("header", ["X-API-Key", "Authorization"])
async def test_the_secret_of_the_api_opens_it(sqlite_url: str, header: str) -> None:
    """The secret opens the API like an admin key does; another one does not, nor does it where none is set."""
    shown = {header: SECRET if header == "X-API-Key" else f"Bearer {SECRET}"}
    async with served(sqlite_url, api={"host": "127.0.0.1", "port": 0, "secret": SECRET}) as central:
        assert (await central.anybody("GET", "/broadcasters", headers=shown)).status == 200
        made = await central.anybody("POST", "/broadcasters", {"name": "Radio"}, headers=shown)
        assert made.status == 201
        wrong = {header: shown[header] + "x"}
        assert (await central.anybody("GET", "/broadcasters", headers=wrong)).status == 401
    async with served(sqlite_url) as central:
        assert (await Client(central.session)("GET", "/broadcasters", headers=shown)).status == 401
