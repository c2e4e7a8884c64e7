"""Events of boxes: each once, in order, with an answer for each."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from sqlalchemy.exc import DBAPIError

from cast_wire import models as wire
from central.devices import event_repository
from central.devices.events import row_of
from tests.central.support.service import Central, served


async def test_events_are_kept_once_and_in_order(central: Central) -> None:
    """An event that is sent again is a duplicate, also within one batch."""
    box = await central.box()
    events = [box.event(), box.event("first_frame", data={"time_to_first_frame": 0.1}), box.event("agent_started")]
    answer = await box.send(*events)
    assert answer.status == 200
    assert [result["status"] for result in answer["results"]] == ["accepted"] * 3
    late = box.event("session_ended", data={"reason": "stopped"})
    again = await box.send(events[1], late, late)
    assert [result["status"] for result in again["results"]] == ["duplicate", "accepted", "duplicate"]
    listed = await box("GET", f"/api/v1/devices/{box.id}/events")
    assert [event["event_id"] for event in listed["items"]] == [e["event_id"] for e in [*events, late]]
    assert listed["items"][1]["data"] == {"time_to_first_frame": 0.1}


async def test_each_bad_event_is_answered_by_itself(central: Central) -> None:
    """Good events beside bad ones are kept; each bad one is told what is wrong with it."""
    box, other = await central.box(), await central.box("hall")
    good = box.event()
    bad: list[Any] = [
        box.event(event_id="no uuid"),
        box.event(kind="Not A Kind"),
        box.event("first_frame", data={}),
        box.event(session_id=None),
        box.event("future_kind", data={"text": "x" * 5000}),
        other.event(),
        box.event(occurred_at="0001-01-01T00:00:00+14:00"),
        "no object",
    ]
    answer = await box.send(*bad[:4], good, *bad[4:])
    statuses = [result["status"] for result in answer["results"]]
    assert statuses == ["rejected"] * 4 + ["accepted"] + ["rejected"] * 4
    assert [result["error"]["message"].partition(" ")[0] for result in answer["results"] if result["error"]] == [
        "event_id",
        "kind",
        "data.time_to_first_frame",
        "session_id",
        "data",
        "device_id",
        "occurred_at",
        "the",
    ]
    assert len((await box("GET", f"/api/v1/devices/{box.id}/events"))["items"]) == 1


async def test_a_kind_that_only_a_newer_agent_knows_is_kept(central: Central) -> None:
    """Also fields that this version does not know do no harm."""
    box = await central.box()
    event = box.event("hologram_shown", data={"depth": 3}, session_id=None, colour="blue")
    assert (await box.send(event))["results"][0]["status"] == "accepted"
    (kept,) = (await box("GET", f"/api/v1/devices/{box.id}/events?kind=hologram_shown"))["items"]
    assert kept["data"] == {"depth": 3}


async def test_events_have_pages_and_filters(central: Central) -> None:
    """Oldest first, from behind the cursor on."""
    box = await central.box()
    await box.send(*(box.event(session_id=f"s{number % 2}") for number in range(5)))
    first = await box("GET", f"/api/v1/devices/{box.id}/events?limit=3")
    rest = await box("GET", f"/api/v1/devices/{box.id}/events?limit=3&cursor={first['next_cursor']}")
    assert [event["seq"] for event in first["items"] + rest["items"]] == [1, 2, 3, 4, 5]
    assert rest["next_cursor"] is None
    odd = await box("GET", f"/api/v1/devices/{box.id}/events?session_id=s1")
    assert [event["seq"] for event in odd["items"]] == [2, 4]


async def test_batches_have_a_limit(central: Central) -> None:
    """51 events, none, and no list are refused as a whole."""
    box = await central.box()
    for events in ([box.event() for _ in range(51)], [], "events", None):
        answer = await box("POST", f"/api/v1/devices/{box.id}/events", {"events": events})
        assert (answer.status, answer["errors"][0]["field"]) == (422, "events")


async def test_the_same_event_sent_many_times_at_once_is_kept_once(central: Central) -> None:
    """One of the senders is told accepted, the others duplicate."""
    box = await central.box()
    event = box.event()
    answers = await asyncio.gather(*(box.send(event) for _ in range(20)))
    assert sorted(answer["results"][0]["status"] for answer in answers) == ["accepted"] + ["duplicate"] * 19


async def test_events_of_a_box_that_is_not_there_are_refused(central: Central) -> None:
    """404 for them, and those of others in the same round are kept."""
    box = await central.box()
    nobody = "00000000-0000-4000-8000-000000000000"
    path, body = f"/api/v1/devices/{nobody}/events", {"events": [box.event(device_id=nobody)]}
    lost, kept = await asyncio.gather(central.admin("POST", path, body), box.send(box.event()))
    assert (lost.status, lost["code"]) == (404, "device_not_found")
    assert kept["results"][0]["status"] == "accepted"


async def test_a_text_that_is_too_long_for_its_column_is_refused(postgres_url: str) -> None:
    """PostgreSQL cuts it where its type is written as a cast. What boxes may send is shorter, so far."""
    async with served(postgres_url) as central:
        box = await central.box()
        event = wire.Event.model_validate(box.event("agent_started"))
        row = row_of(box.id, event, central.clock.at) | {"agent_version": "1" * 65}
        with pytest.raises(DBAPIError, match="too long"):
            await central.services.database.write(lambda session: event_repository.add(session, [row]))


async def test_events_make_a_box_online(central: Central) -> None:
    """A box that reports is there."""
    box = await central.box()
    await box.send(box.event())
    assert (await box("GET", f"/api/v1/devices/{box.id}"))["online"] is True
