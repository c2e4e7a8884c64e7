"""The page for Home Assistant names the entities, actions and events that there are."""

from __future__ import annotations

import re

import pytest
import yaml

from agent.frontends.esphome.entities import EVENT_TYPES
from agent.frontends.esphome.messages import api
from agent.health import ReportingStatus
from tests.support.documentation import ROOT, Block, blocks
from tests.support.esphome_box import boxed
from tests.support.virtual_time import in_virtual_time

PAGE = ROOT / "docs" / "home-assistant.md"
NATIVE, _, _ = PAGE.read_text().partition("## Without ESPHome")
SNIPPETS = [block for block in blocks(PAGE, kind="yaml") if block.text in NATIVE]
AUTOMATIONS = [one for snippet in SNIPPETS for one in yaml.safe_load(snippet.text).get("automation", ())]
PLATFORMS = {
    api.ListEntitiesMediaPlayerResponse: "media_player",
    api.ListEntitiesTextSensorResponse: "sensor",
    api.ListEntitiesSensorResponse: "sensor",
    api.ListEntitiesBinarySensorResponse: "binary_sensor",
    api.ListEntitiesCameraResponse: "camera",
    api.ListEntitiesEventResponse: "event",
    api.ListEntitiesSelectResponse: "select",
    api.ListEntitiesSwitchResponse: "switch",
    api.ListEntitiesButtonResponse: "button",
}


@in_virtual_time
async def test_each_entity_and_action_is_named() -> None:
    """Each is named by the id that Home Assistant makes of it, and no other is."""
    async with boxed(configured=[{"id": "news", "url": "http://film/"}], restart=lambda: None) as box:
        box.reporting = ReportingStatus(enabled=True)
        listed = box.listed().values()
        entities = {
            f"{platform}.living_room_{one.object_id}" if one.name else f"{platform}.living_room"
            for one in listed
            if (platform := PLATFORMS.get(type(one))) is not None
        }
        rows = {
            row[0]: re.findall(r"`(\w+)`", row[1])
            for line in NATIVE.splitlines()
            if line.startswith("| `esphome.") and (row := line.strip("| ").split(" | "))
        }
        actions = box.listed(api.ListEntitiesServicesResponse)
    assert (
        set(re.findall(r"`((?:media_player|\w+)\.living_room\w*)`", NATIVE.partition("## The actions")[0])) == entities
    )
    assert rows == {f"`esphome.living_room_{name}`": [each.name for each in one.args] for name, one in actions.items()}


def test_each_kind_of_event_is_named() -> None:
    section = NATIVE.partition("### When something happens")[2]
    assert set(re.findall(r"`((?:session|command)_(?!id)\w+|first_frame)`", section)) == set(EVENT_TYPES)


@in_virtual_time
async def test_each_snippet_calls_an_action_with_all_its_data() -> None:
    """Home Assistant refuses a call that leaves a field out."""
    async with boxed() as box:
        actions = box.listed(api.ListEntitiesServicesResponse)
    calls = [call for one in AUTOMATIONS for call in one["actions"] if call["action"].startswith("esphome.")]
    assert len(calls) >= 2
    for call in calls:
        listing = actions[call["action"].removeprefix("esphome.living_room_")]
        assert list(call["data"]) == [argument.name for argument in listing.args]


@in_virtual_time
async def test_the_automation_about_failures_understands_the_event() -> None:
    """Its conditions and templates are fed with what the box tells."""
    (automation,) = [one for one in AUTOMATIONS if one["triggers"][0].get("event_type") == "esphome.cast_agent"]
    async with boxed() as box:
        await box.act("show", "http://broken/", "Door", 0.0, False)
        ended = box.client.events[-1]
    assert automation["triggers"][0]["event_data"].items() <= ended.items()
    wanted = re.findall(r"trigger\.event\.data\.(\w+)", str(automation["actions"]))
    assert wanted == ["title", "message"]
    assert all(ended[name] for name in wanted)


@pytest.mark.parametrize("snippet", SNIPPETS, ids=str)
def test_no_snippet_needs_what_is_pasted(snippet: Block) -> None:
    """The first half of the page is complete in itself."""
    assert "rest_command" not in snippet.text
