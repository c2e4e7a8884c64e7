"""The agent's messages to a central API can be stored there, whatever a source calls itself."""

from __future__ import annotations

import json
import math

import pytest
from pydantic import JsonValue, ValidationError

from agent.events.event import Occurrence, Run, event_of
from agent.events.timestamp import timestamp
from cast_wire import models as wire
from cast_wire.kinds import EventKind

BOX = "01a1fd12-eb6c-748a-a719-cf4ecab6bccb"


def test_an_event_that_is_told_has_no_flaw() -> None:
    """A title in a broken encoding and a position that is none do not keep it from being taken."""
    data: dict[str, JsonValue] = {"title": "a\0b\ud83d", "position": math.inf, "list": [math.nan, {"\0": 1}]}
    occurrence = Occurrence(EventKind.AGENT_STARTED, timestamp(), data=data)
    event = {**event_of(occurrence, Run(BOX, "0.1.0"), 1), "device_id": BOX}
    told = wire.Event.model_validate(json.loads(json.dumps(event))).data
    assert told == {
        "title": "a\N{REPLACEMENT CHARACTER}b\N{REPLACEMENT CHARACTER}",
        "position": None,
        "list": [None, {"\N{REPLACEMENT CHARACTER}": 1}],
    }


@pytest.mark.parametrize(
    "value", [math.inf, -math.inf, math.nan, 2**63, "\0", "\ud800", json.loads("[" * 40 + "]" * 40)]
)
def test_a_message_with_a_flaw_is_none(value: JsonValue) -> None:
    """A flaw anywhere makes it none, on both sides: neither makes such a message nor takes it."""
    event = {**event_of(Occurrence(EventKind.AGENT_STARTED, timestamp()), Run(BOX, "0.1.0"), 1), "device_id": BOX}
    wire.Event.model_validate(event)
    with pytest.raises(ValidationError, match="must "):
        wire.Event.model_validate({**event, "data": {"a": [value]}})
    with pytest.raises(ValidationError, match="must "):
        wire.Event.model_validate({**event, "a field of tomorrow": value})
