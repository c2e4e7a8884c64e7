"""A value that no database can store, or no reader can read, is refused at the door, and costs nobody else anything."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from tests.central.support.service import Box, Central

DEEP = "[" * 40 + "]" * 40
FLAWS = {
    "infinite": "1e999",
    "negative": "-1e999",
    "huge": "9223372036854775808",
    "digits": "1" * 4000,
    "nul": '"a\\u0000b"',
    "surrogate": '"a\\ud800b"',
    "deep": DEEP,
}
"""By name the JSON text of a value."""


async def test_an_event_with_a_flaw_is_rejected_alone(central: Central) -> None:
    """Its neighbours in the batch are kept, and so are the batches of others beside it."""
    boxes = [await central.box(f"box {number}") for number in range(5)]
    beside = boxes[0].event()
    bad = [boxes[0].event("future_kind", data={"a": f"<{name}>", "b": [1, {"c": 2}]}) for name in FLAWS]
    text = json.dumps({"events": [beside, *bad]})
    for name, value in FLAWS.items():
        text = text.replace(f'"<{name}>"', value)
    answers = await asyncio.gather(_send(boxes[0], text), *(box.send(box.event()) for box in boxes[1:]))
    assert [answer.status for answer in answers] == [200] * 5
    assert [answer["results"][0]["status"] for answer in answers] == ["accepted"] * 5
    rejected = answers[0]["results"][1:]
    assert [result["status"] for result in rejected] == ["rejected"] * len(FLAWS)
    assert all(" must " in result["error"]["message"] for result in rejected), rejected
    events = await boxes[0]("GET", f"/api/v1/devices/{boxes[0].id}/events")
    assert [event["event_id"] for event in events["items"]] == [beside["event_id"]]


async def test_a_body_with_a_flaw_is_refused(central: Central) -> None:
    """In whatever field it is: 422 with a sentence, never 500."""
    box, headers = await central.box(), {"Content-Type": "application/json"}
    for method, path, body in (
        ("POST", "/api/v1/devices", {"name": "x", "metadata": {"a": "HERE"}}),
        ("PATCH", f"/api/v1/devices/{box.id}", {"metadata": {"a": "HERE"}}),
        ("PUT", f"/api/v1/devices/{box.id}/state", box.state(later="HERE")),
        ("POST", "/api/v1/streams", {"device_id": box.id, "url": "http://nas/a", "metadata": {"a": "HERE"}}),
        ("POST", "/broadcasters", {"name": "x", "metadata": {"a": "HERE"}}),
        ("POST", "/auth", {"action": "publish", "path": "a", "password": "x", "query": "HERE"}),
        ("POST", "/webhook/ready", {"path": "live/one", "source_id": "HERE"}),
    ):
        for value in FLAWS.values():
            text = json.dumps(body).replace('"HERE"', value)
            caller = central.admin if path.startswith(("/api", "/broad")) else central.anybody
            answer = await caller(method, path, data=text, headers=headers)
            assert (answer.status, answer["code"]) == (422, "invalid_request"), (path, value, answer.body)
            assert " must " in answer["detail"]


async def test_an_id_that_cannot_be_written_is_not_repeated(central: Central) -> None:
    """The answer says null in its place."""
    box = await central.box()
    answer = await _send(box, json.dumps({"events": [box.event(event_id="\ud800")]}))
    assert (answer.status, answer["results"][0]["event_id"]) == (200, None)


async def _send(box: Box, text: str) -> Any:
    headers = {"Content-Type": "application/json"}
    return await box("POST", f"/api/v1/devices/{box.id}/events", data=text, headers=headers)
