"""The page for Home Assistant is true: what it says to paste is read out of it, rendered as Home Assistant does, and
sent to the API; its sensors and its player are fed with what the API answers."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from jinja2 import StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

from agent.cli.home_assistant import Box, package, secrets
from tests.support.api import Tracked, tracked

PAGE = Path(__file__).parents[2] / "docs" / "home-assistant.md"
KEY_LINE, PACKAGE, AUTOMATION, STOP_ALL = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL)
EXAMPLE = Box("Living room", "http://192.168.1.20:8090")
FILM, CAMERA = "http://film/one.mp4", "http://film/door"
SOON_S = 5.0


class _Loader(yaml.SafeLoader):
    """Knows `!secret`, out of the page's own secrets."""


_Loader.add_constructor("!secret", lambda loader, node: yaml.safe_load(KEY_LINE)[node.value])


def load(text: str) -> Any:
    return yaml.load(text, _Loader)


class HomeAssistant:
    """As much of it as the page needs (core 2025.4: rest_command, rest, template)."""

    def __init__(self, box: Tracked, *texts: str) -> None:
        self._box = box
        self.config: dict[str, Any] = {}
        for text in texts:
            for key, value in load(text).items():
                if isinstance(value, dict):  # as packages are merged
                    self.config.setdefault(key, {}).update(value)
                else:
                    self.config[key] = value
        self._jinja = ImmutableSandboxedEnvironment(undefined=StrictUndefined)
        self._jinja.filters["to_json"] = json.dumps
        self.states: dict[str, str] = {}

    def render(self, template: str, **variables: object) -> str:
        return self._jinja.from_string(template, {"states": self.states.__getitem__}).render(**variables).strip()

    async def act(self, action: Mapping[str, Any], **variables: object) -> dict[str, Any]:
        """One entry of `actions:` or `commands:`; what the agent answered."""
        data = {
            name: self.render(value, **variables) if isinstance(value, str) else value
            for name, value in action.get("data", {}).items()
        }
        return await self.call(action["action"].removeprefix("rest_command."), **data)

    async def call(self, name: str, **data: object) -> dict[str, Any]:
        command = self.config["rest_command"][name]
        assert command["headers"] == {"authorization": "Bearer cak_the-key-that-setup-printed"}
        body = self.render(command["payload"], **data).encode() if "payload" in command else None
        headers = {**command["headers"], "Content-Type": command.get("content_type", "application/octet-stream")}
        path = command["url"].removeprefix(EXAMPLE.url)
        async with self._box.client.request(command["method"], path, data=body, headers=headers) as answer:
            assert answer.status == 200, await answer.text()
            assert answer.content_type == "application/json"
            return dict(await answer.json())

    async def scan(self) -> dict[str, Any]:
        """Ask as the REST sensors do; their states by entity id."""
        [rest] = self.config["rest"]
        async with self._box.client.get(rest["resource"].removeprefix(EXAMPLE.url)) as answer:
            text = await answer.text()
        value = json.loads(text)
        for kind in ("sensor", "binary_sensor"):
            for sensor in rest[kind]:
                entity = f"{kind}.{sensor['name'].replace(' ', '_')}"
                self.states[entity] = self.render(sensor["value_template"], value=text, value_json=value)
                assert set(sensor.get("json_attributes", ())) <= value.keys()
        return value

    @property
    def player(self) -> dict[str, Any]:
        [player] = self.config["media_player"]
        return dict(player)

    def player_says(self) -> dict[str, str]:
        """The state and the attributes of the universal media player."""
        attributes = {name: self.states[entity] for name, entity in self.player["attributes"].items()}
        return {"state": self.render(self.player["state_template"]), **attributes}


@pytest.fixture
async def box() -> AsyncIterator[Tracked]:
    async with tracked() as box:
        yield box


@pytest.fixture
def hass(box: Tracked) -> HomeAssistant:
    return HomeAssistant(box, PACKAGE, STOP_ALL)


async def wait_state(hass: HomeAssistant, wanted: str) -> None:
    try:
        async with asyncio.timeout(SOON_S):
            while (await hass.scan()) and hass.player_says()["state"] != wanted:
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise AssertionError(f"the player says {hass.player_says()}, not {wanted}") from None


def test_the_page_shows_what_setup_prints() -> None:
    assert package(EXAMPLE) == PACKAGE
    assert secrets(EXAMPLE, "cak_the-key-that-setup-printed") == KEY_LINE


async def test_the_player_plays_pauses_and_stops(hass: HomeAssistant) -> None:
    commands = hass.player["commands"]
    await hass.scan()
    assert hass.player_says() == {
        "state": "idle",
        "media_title": "",
        "volume_level": "1.0",
        "is_volume_muted": "False",
    }
    await hass.act(commands["play_media"], media_id=FILM, media_type="video")
    await wait_state(hass, "playing")
    assert hass.player_says()["media_title"] == FILM
    await hass.act(commands["media_pause"])
    await wait_state(hass, "paused")
    await hass.act(commands["media_play"])
    await wait_state(hass, "playing")
    await hass.act(commands["volume_set"], volume_level=0.25)
    await hass.act(commands["volume_mute"], is_volume_muted=True)
    await hass.scan()
    assert (hass.player_says()["volume_level"], hass.player_says()["is_volume_muted"]) == ("0.25", "True")
    await hass.call("living_room_cast_seek", position="61.5")
    await hass.act(commands["turn_off"])
    await wait_state(hass, "idle")
    assert (await hass.act(commands["media_stop"]))["message"] == "No active stream"


async def test_the_doorbell_interrupts_and_stop_brings_the_film_back(hass: HomeAssistant) -> None:
    [automation] = load(AUTOMATION)["automation"]
    [ring] = automation["actions"]
    assert ring["data"].pop("url").startswith("rtsp://")
    ring = {**ring, "data": {**ring["data"], "url": CAMERA}}
    await hass.call("living_room_cast_start", url=FILM)
    await wait_state(hass, "playing")
    await hass.act(ring)
    await wait_state(hass, "playing")
    status = await hass.scan()
    assert [waiting["url"] for waiting in status["interrupted"]] == [FILM]
    assert (status["stream"]["title"], status["stream"]["quality"]) == ("Front door", "low-latency")
    await hass.call("living_room_cast_stop")
    await wait_state(hass, "playing")
    assert (await hass.scan())["stream"]["url"] == FILM
    await hass.act(ring)
    await hass.call("living_room_cast_stop_all")
    await wait_state(hass, "idle")


async def test_templates_may_make_strings_of_everything(hass: HomeAssistant) -> None:
    fields = {"duration": "30", "volume": "0.5", "position": "0", "interrupt": "True", "loop": "false", "title": ""}
    await hass.call("living_room_cast_start", url=FILM, **fields)
    await wait_state(hass, "playing")
    stream = (await hass.scan())["stream"]
    assert (stream["volume_level"], stream["title"]) == (0.5, None)


@pytest.mark.parametrize(
    ("name", "slug"), [("Living room", "living_room"), ('The "big" TV', "the_big_tv"), ("テレビ", "cast_agent")]
)
async def test_every_name_makes_a_package(box: Tracked, name: str, slug: str) -> None:
    text = package(Box(name, EXAMPLE.url, needs_key=False))
    assert "secret" not in text
    hass = HomeAssistant(box, text)
    assert hass.player["name"] == name
    assert f"{slug}_cast_start" in hass.config["rest_command"]
    await hass.scan()
    assert hass.player_says()["state"] == "idle"
