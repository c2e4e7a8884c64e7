"""Boxes: enrolment, what they say, and whether they are there."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from tests.central.support.service import Box, Central, Client


async def test_an_enrolment_token_lets_one_box_in(central: Central) -> None:
    """It is told its id and token once; the next box needs another token."""
    token = await central.services.boxes.enrolments.add(uses=1, valid_for=timedelta(hours=1))
    newcomer = Client(central.session, token)
    made = await newcomer("POST", "/api/v1/devices", {"name": "kitchen", "agent_version": "0.1.0"})
    assert made.status == 201
    assert made["token"].startswith("dt_")
    assert made["next_interval_s"] == 60
    again = await newcomer("POST", "/api/v1/devices", {"name": "hall"})
    assert (again.status, again["code"]) == (401, "unauthorized")
    device = await Client(central.session, made["token"])("GET", made.headers["Location"])
    assert (device["name"], device["online"], device["last_seen"], device["status"]) == ("kitchen", False, None, None)


async def test_the_same_enrolment_once_more_is_the_same_box(central: Central) -> None:
    """One that did not hear the answer asks again with the token that it proposed: also at once, also when the
    enrolment token is used up by then. Whoever does not know what was proposed gets in nowhere."""
    token = await central.services.boxes.enrolments.add(uses=1, valid_for=timedelta(hours=1))
    newcomer = Client(central.session, token)
    body = {"name": "kitchen", "token": "dt_" + "k" * 43, "from_a_newer_box": True}
    answers = await asyncio.gather(*(newcomer("POST", "/api/v1/devices", body) for _ in range(5)))
    assert [answer.status for answer in answers] == [201] * 5
    assert {(answer["id"], answer["token"]) for answer in answers} == {(answers[0]["id"], body["token"])}
    assert len((await central.admin("GET", "/api/v1/devices"))["items"]) == 1
    stranger = await newcomer("POST", "/api/v1/devices", {"name": "kitchen", "token": "dt_" + "s" * 43})
    assert (stranger.status, stranger["code"]) == (401, "unauthorized")
    wrong = await newcomer("POST", "/api/v1/devices", {"name": "kitchen", "token": "1234"})
    assert wrong["detail"].startswith("token must be dt_ and 43 letters")


async def test_a_copy_of_a_card_is_another_box(central: Central) -> None:
    """Forty boxes of one image may all propose the same: once the first has spoken, the next is one of its own."""
    token = await central.services.boxes.enrolments.add(uses=2, valid_for=timedelta(hours=1))
    newcomer, body = Client(central.session, token), {"name": "kitchen", "token": "dt_" + "k" * 43}
    first = await newcomer("POST", "/api/v1/devices", body)
    box = Box(central.session, first["token"], id=first["id"])
    assert (await box.put(box.state())).status == 200
    second = await newcomer("POST", "/api/v1/devices", body)
    assert second["id"] != first["id"]
    assert second["token"] != first["token"]
    assert (await newcomer("POST", "/api/v1/devices", body)).status == 401


async def test_a_token_of_a_revoked_box_opens_nothing_again(central: Central) -> None:
    """Whoever proposes it is a new box, with another token, which costs a use."""
    token = await central.services.boxes.enrolments.add(uses=2, valid_for=timedelta(hours=1))
    newcomer, body = Client(central.session, token), {"name": "kitchen", "token": "dt_" + "k" * 43}
    first = await newcomer("POST", "/api/v1/devices", body)
    await central.admin("DELETE", f"/api/v1/devices/{first['id']}")
    second = await newcomer("POST", "/api/v1/devices", body)
    assert second["id"] != first["id"]
    assert second["token"] != body["token"]
    assert (await newcomer("POST", "/api/v1/devices", body)).status == 401


async def test_an_enrolment_token_runs_out(central: Central) -> None:
    """After its time it is as if it had never been."""
    token = await central.services.boxes.enrolments.add(uses=5, valid_for=timedelta(hours=1))
    central.clock.forward(3601)
    answer = await Client(central.session, token)("POST", "/api/v1/devices", {"name": "kitchen"})
    assert answer.status == 401


async def test_an_enrolment_token_that_got_into_wrong_hands_is_revoked(central: Central) -> None:
    """With all others; the box that came in with it stays."""
    token = await central.services.boxes.enrolments.add(uses=40, valid_for=timedelta(days=30))
    newcomer = Client(central.session, token)
    box = await newcomer("POST", "/api/v1/devices", {"name": "kitchen"})
    assert await central.services.boxes.enrolments.revoke() == 1
    assert (await newcomer("POST", "/api/v1/devices", {"name": "hall"})).status == 401
    assert (await Client(central.session, box["token"])("GET", f"/api/v1/devices/{box['id']}")).status == 200


async def test_a_state_makes_a_box_online_until_three_heartbeats_are_missed(central: Central) -> None:
    """Online after a state, offline after three intervals and their jitter, online again with the next."""
    box = await central.box()
    answer = await box.put(box.state())
    assert answer.status == 200
    assert answer["accepted"] is True
    assert (await box("GET", f"/api/v1/devices/{box.id}"))["online"] is True
    central.clock.forward(3 * 60 + 17)
    assert (await box("GET", f"/api/v1/devices/{box.id}"))["online"] is True
    central.clock.forward(2)
    assert (await box("GET", f"/api/v1/devices/{box.id}"))["online"] is False
    assert [d["id"] for d in (await central.admin("GET", "/api/v1/devices?online=false"))["items"]] == [box.id]
    await box.put(box.state())
    assert [d["id"] for d in (await central.admin("GET", "/api/v1/devices?online=true"))["items"]] == [box.id]


async def test_the_last_word_of_a_box_makes_it_offline_at_once(central: Central) -> None:
    """`stopping` needs no heartbeats to be missed."""
    box = await central.box()
    await box.put(box.state())
    await box.put(box.state(stopping=True))
    assert (await box("GET", f"/api/v1/devices/{box.id}"))["online"] is False


async def test_the_latest_state_wins_by_boot_and_seq(central: Central) -> None:
    """A state that comes late changes nothing, whether it is of this run or of one before."""
    box = await central.box()
    first = box.state(name="first")
    second = box.state(name="second")
    assert (await box.put(second))["accepted"] is True
    assert (await box.put(first))["accepted"] is False
    assert (await box.put(second))["accepted"] is False
    late = box.state(name="late")
    box.boot_id, box.seq = "00000000-0000-4000-8000-000000000000", 0
    assert (await box.put(box.state(name="rebooted")))["accepted"] is True
    assert (await box.put(late))["accepted"] is False
    device = await box("GET", f"/api/v1/devices/{box.id}")
    assert device["state"]["name"] == "rebooted"


async def test_what_is_on_is_told(central: Central) -> None:
    """The list shows what a box has on, and its stream with the code."""
    box = await central.box()
    session = {
        "session_id": "s1",
        "url": "http://nas/film.mp4",
        "title": "A film",
        "state": "playing",
        "session_state": "active",
        "started_at": "2026-01-01T00:00:00Z",
    }
    await box.put(box.state(status="casting", stream=session))
    stream = await box.cast(title="A film")
    (listed,) = (await central.admin("GET", "/api/v1/devices"))["items"]
    assert listed["status"] == "casting"
    assert listed["on"] == {
        "session_id": "s1",
        "title": "A film",
        "url": "http://nas/film.mp4",
        "state": "playing",
    }
    assert (listed["stream_id"], listed["code"]) == (stream["id"], stream["code"])


async def test_a_state_of_another_box_is_refused(central: Central) -> None:
    """The envelope must name the box that sends it."""
    box, other = await central.box(), await central.box("hall")
    answer = await box.put(box.state(device_id=other.id))
    assert (answer.status, answer["errors"][0]["field"]) == (422, "device_id")


async def test_boxes_are_renamed_and_revoked(central: Central) -> None:
    """A revoked box is not there any more, its token opens nothing, and its stream has ended."""
    box = await central.box()
    changed = await central.admin("PATCH", f"/api/v1/devices/{box.id}", {"name": "hall", "metadata": {"floor": 2}})
    assert (changed["name"], changed["metadata"]) == ("hall", {"floor": 2})
    stream = await box.cast()
    assert (await central.admin("DELETE", f"/api/v1/devices/{box.id}")).status == 204
    assert (await central.admin("GET", f"/api/v1/devices/{box.id}")).status == 404
    assert (await central.admin("DELETE", f"/api/v1/devices/{box.id}"))["code"] == "device_not_found"
    assert (await box.put(box.state())).status == 401
    ended = await central.admin("GET", f"/api/v1/streams/{stream['id']}")
    assert (ended["status"], ended["end_reason"]) == ("ended", "device_revoked")


async def test_lists_have_pages(central: Central) -> None:
    """Each page goes on where the one before ended, newest first, and the last has no cursor."""
    boxes = [await central.box(f"box {number}") for number in range(5)]
    seen, cursor = [], ""
    while True:
        page = await central.admin("GET", f"/api/v1/devices?limit=2{cursor}")
        seen += [device["id"] for device in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert seen == [box.id for box in reversed(boxes)]
    bad = await central.admin("GET", "/api/v1/devices?cursor=nonsense")
    assert (bad.status, bad["errors"][0]["field"]) == (422, "cursor")
