"""Publishers: who is let in, when their streams are on, and how a key is taken away."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from tests.central.support.service import Central, served


async def test_a_key_is_shown_once(central: Central) -> None:
    """It is stored as a hash, and lists and single answers do not have it."""
    made = await central.key(name="camera")
    assert made["key"].startswith("sk_")
    assert len(made["key"]) == 3 + 43
    for path in ("/stream-keys", f"/stream-keys/{made['id']}"):
        answer = await central.admin("GET", path)
        assert made["key"] not in str(answer.body)
    assert (await central.admin("GET", f"/stream-keys/{made['id']}"))["status"] == "active"


@pytest.mark.parametrize(
    "shown",
    [
        {"password": "KEY"},
        {"password": "", "token": "KEY"},
        {"password": "", "token": "", "query": "key=KEY"},
        {"password": "something else", "token": "", "query": "a=b&key=KEY"},
    ],
)
async def test_a_key_is_taken_from_where_publishers_put_it(central: Central, shown: dict[str, str]) -> None:
    """The key is the password, the token, or part of the query."""
    key = (await central.key())["key"]
    given = {name: text.replace("KEY", key) for name, text in shown.items()}
    assert (await central.auth("", **({"token": ""} | given))).status == 200


async def test_nothing_shown_is_401_so_that_clients_send_what_they_have(central: Central) -> None:
    """RTSP clients send a password only once they are asked."""
    answer = await central.auth("")
    assert (answer.status, answer["code"]) == (401, "unauthorized")


async def test_bad_keys_are_refused(central: Central) -> None:
    """Unknown, revoked, expired, and for another path: 401 with a code each."""
    assert (await central.auth("sk_" + "x" * 43))["code"] == "key_unknown"
    assert (await central.auth("not a key"))["code"] == "unauthorized"
    expiring = await central.key(expires_at=(central.clock.at + timedelta(hours=1)).isoformat())
    assert (await central.auth(expiring["key"], "live/a", "c9")).status == 200
    central.clock.forward(3601)
    refused = await central.auth(expiring["key"], "live/a", "c10")
    assert (refused.status, refused["code"]) == (401, "key_expired")
    assert (await central.admin("GET", f"/stream-keys/{expiring['id']}"))["status"] == "expired"
    bound = await central.key(path="live/door")
    assert (await central.auth(bound["key"], "live/other"))["code"] == "path_not_allowed"
    assert (await central.auth(bound["key"], "live/door")).status == 200
    revoked = await central.key()
    await central.admin("DELETE", f"/stream-keys/{revoked['id']}")
    assert (await central.auth(revoked["key"], "live/b"))["code"] == "key_revoked"


async def test_a_key_in_use_is_refused_to_another_connection(central: Central) -> None:
    """The same connection may ask again; another may once the first is gone, or never got ready within its lease."""
    key = (await central.key())["key"]
    assert (await central.auth(key, connection="c1")).status == 200
    assert (await central.auth(key, connection="c1")).status == 200
    assert (await central.auth(key, connection="c2"))["code"] == "key_in_use"
    assert (await central.auth(key, "live/two", connection="c2"))["code"] == "key_in_use"
    central.clock.forward(10.1)
    assert (await central.auth(key, connection="c2")).status == 200
    assert (await central.ready(connection="c2")).status == 200
    assert (await central.auth(key, connection="c2")).status == 200
    central.clock.forward(3600)
    assert (await central.auth(key, connection="c3"))["code"] == "key_in_use"
    assert (await central.not_ready(connection="c2"))["grace_until"] is not None
    assert (await central.auth(key, connection="c3")).status == 200


async def test_asking_again_does_not_end_the_hold_of_what_is_on(central: Central) -> None:
    """A publisher whose stream is on is asked about once more: its claim gets no lease that could run out."""
    key = (await central.key())["key"]
    await central.auth(key)
    await central.ready()
    await central.auth(key)
    central.clock.forward(60)
    assert (await central.auth(key, connection="c2"))["code"] == "key_in_use"


async def test_a_path_belongs_to_one_key(central: Central) -> None:
    """With another key nobody can push a publisher out, until its lease is over."""
    one, two = (await central.key())["key"], (await central.key())["key"]
    assert (await central.auth(one)).status == 200
    assert (await central.auth(two, connection="c2"))["code"] == "path_in_use"
    central.clock.forward(10.1)
    assert (await central.auth(two, connection="c2")).status == 200
    late = await central.ready(connection="c1")
    assert (late.status, late["code"]) == (409, "not_claimed")
    assert (await central.ready(connection="c2")).status == 200


async def test_a_question_without_a_connection_claims_nothing(central: Central) -> None:
    """WebRTC asks so before there is a session."""
    key = (await central.key())["key"]
    assert (await central.auth(key, connection=None, protocol="webrtc")).status == 200
    assert (await central.auth(key, connection="c1", protocol="webrtc")).status == 200
    assert (await central.auth("sk_" + "x" * 43, connection=None)).status == 401


async def test_of_many_connections_at_once_one_wins(central: Central) -> None:
    """For each of several keys, whatever the paths."""
    keys = [(await central.key())["key"] for _ in range(5)]
    asked = [
        central.auth(key, f"live/{number}/{attempt % 2}", f"c{attempt}")
        for attempt in range(20)
        for number, key in enumerate(keys)
    ]
    answers = await asyncio.gather(*asked)
    by_key = [[answer.status for answer in answers[number :: len(keys)]] for number in range(len(keys))]
    assert [statuses.count(200) for statuses in by_key] == [1] * len(keys)
    assert {answer["code"] for answer in answers if answer.status != 200} == {"key_in_use"}


async def test_of_many_connections_to_two_instances_one_wins(central: Central, database_url: str) -> None:
    """For a key, and for a path that many keys want: the database decides, not the process."""
    async with served(database_url) as other:
        for round_ in range(4):
            key = (await central.key())["key"]
            asked = [
                side.auth(key, f"k/{round_}", f"c{n}-{side is other}") for n in range(10) for side in (central, other)
            ]
            answers = await asyncio.gather(*asked)
            assert sorted(answer.status for answer in answers) == [200] + [401] * 19
            keys = [(await central.key())["key"] for _ in range(10)]
            asked = [(central, other)[n % 2].auth(key, f"p/{round_}", f"d{n}") for n, key in enumerate(keys)]
            answers = await asyncio.gather(*asked)
            assert sorted(answer.status for answer in answers) == [200] + [401] * 9
            assert {answer["code"] for answer in answers if answer.status != 200} == {"path_in_use"}


async def test_a_publisher_is_on_from_ready_to_not_ready(central: Central) -> None:
    """With a code, the broadcaster's name, and the addresses that are built from the public one."""
    key = await central.key()
    await central.auth(key["key"], "live/door")
    ready = await central.ready("live/door")
    assert ready.status == 200
    (stream,) = (await central.admin("GET", "/streams"))["items"]
    assert (stream["id"], stream["code"]) == (ready["stream_id"], ready["code"])
    assert (stream["source"], stream["path"], stream["stream_key_id"]) == ("publisher", "live/door", key["id"])
    assert stream["title"] == key["broadcaster_name"]
    listed = await central.admin("GET", f"/stream-keys/{key['id']}")
    assert (listed["in_use"], listed["stream_id"]) == (True, stream["id"])
    again = await central.ready("live/door")
    assert again["stream_id"] == stream["id"]
    assert (await central.not_ready("live/door"))["grace_until"] is not None
    assert (await central.not_ready("live/door")).body == {"ended": False, "grace_until": None}
    central.clock.forward(10.1)
    await central.services.media.interruptions.once()
    ended = await central.admin("GET", f"/api/v1/streams/{stream['id']}")
    assert (ended["status"], ended["end_reason"], ended["urls"]) == ("ended", "unpublished", None)


async def test_a_late_not_ready_does_not_end_the_next_stream(central: Central) -> None:
    """It names the connection that is gone."""
    key = (await central.key())["key"]
    await central.auth(key, connection="c1")
    await central.ready(connection="c1")
    await central.not_ready(connection="c1")
    await central.auth(key, connection="c2")
    await central.ready(connection="c2")
    assert (await central.not_ready(connection="c1")).body == {"ended": False, "grace_until": None}
    assert len((await central.admin("GET", "/streams"))["items"]) == 1


async def test_ready_of_somebody_who_was_not_let_in_is_refused(central: Central) -> None:
    """Also when MediaMTX does not say who it is; what MediaMTX itself pulls needs no key."""
    assert (await central.ready())["code"] == "not_claimed"
    assert (await central.anybody("POST", "/webhook/ready", {"path": "live/one"}))["code"] == "not_claimed"
    pulled = await central.ready("camera", connection="", kind="rtspSource")
    assert pulled.status == 200
    assert (await central.anybody("POST", "/webhook/not-ready", {"path": "camera"}))["grace_until"] is not None


async def test_hooks_may_send_forms(central: Central) -> None:
    """The body is a form, as `curl --data-urlencode` sends it, or JSON under any content type."""
    key = (await central.key())["key"]
    await central.auth(key)
    form = {"path": "live/one", "source_type": "rtspSession", "source_id": "c1"}
    assert (await central.anybody("POST", "/webhook/ready", data=form)).status == 200
    text = '{"path": "live/one", "source_id": "c1"}'
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    assert (await central.anybody("POST", "/webhook/not-ready", data=text, headers=headers)).status == 200
    literal = await central.anybody("POST", "/webhook/ready", data={"path": "$MTX_PATH"})
    assert (literal.status, literal["errors"][0]["field"]) == (422, "path")


async def test_a_revoked_key_ends_its_stream(central: Central) -> None:
    """At once, and once more changes nothing."""
    key = await central.key()
    await central.auth(key["key"])
    stream = await central.ready()
    revoked = await central.admin("DELETE", f"/stream-keys/{key['id']}")
    assert (revoked["status"], revoked["in_use"]) == ("revoked", False)
    ended = await central.admin("GET", f"/api/v1/streams/{stream['stream_id']}")
    assert (ended["status"], ended["end_reason"]) == ("ended", "key_revoked")
    again = await central.admin("DELETE", f"/stream-keys/{key['id']}")
    assert again.body == revoked.body
    assert (await central.ready())["code"] == "not_claimed"


async def test_revoking_beats_publishing_whatever_the_order(central: Central) -> None:
    """After the answer to a revocation no publisher holds the key, however many tried meanwhile."""
    for _ in range(10):
        key = await central.key()
        calls = [central.auth(key["key"], connection=f"c{number}") for number in range(4)]
        await asyncio.gather(*calls, central.admin("DELETE", f"/stream-keys/{key['id']}"))
        assert (await central.admin("GET", f"/stream-keys/{key['id']}"))["in_use"] is False
        for number in range(4):
            assert (await central.ready(connection=f"c{number}")).status == 409


async def test_broadcasters_are_kept(central: Central) -> None:
    """Made, listed, changed and deleted; a name is one broadcaster's; with one its keys and streams go."""
    made = await central.admin("POST", "/broadcasters", {"name": "Radio", "metadata": {"a": 1}})
    assert made.status == 201
    path = made.headers["Location"]
    taken = await central.admin("POST", "/broadcasters", {"name": "Radio"})
    assert (taken.status, taken["code"]) == (409, "name_in_use")
    other = await central.admin("POST", "/broadcasters", {"name": "TV"})
    assert (await central.admin("PATCH", path, {"name": "TV"}))["code"] == "name_in_use"
    assert (await central.admin("PATCH", path, {"name": "Radio 2"}))["name"] == "Radio 2"
    listed = await central.admin("GET", "/broadcasters")
    assert [item["id"] for item in listed["items"]] == [other["id"], made["id"]]
    key = await central.key(made["id"])
    assert [
        item["id"] for item in (await central.admin("GET", f"/stream-keys?broadcaster_id={made['id']}"))["items"]
    ] == [key["id"]]
    await central.auth(key["key"])
    await central.ready()
    assert (await central.admin("DELETE", path)).status == 204
    assert (await central.admin("GET", path))["code"] == "broadcaster_not_found"
    assert (await central.admin("GET", f"/stream-keys/{key['id']}"))["code"] == "stream_key_not_found"
    assert (await central.admin("GET", "/streams"))["items"] == []
    assert (await central.auth(key["key"]))["code"] == "key_unknown"


async def test_a_key_of_nobody_is_refused(central: Central) -> None:
    """404, not a broken reference."""
    body = {"broadcaster_id": "00000000-0000-4000-8000-000000000000"}
    assert (await central.admin("POST", "/stream-keys", body))["code"] == "broadcaster_not_found"
