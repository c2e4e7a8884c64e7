"""The page for Home Assistant is true: what it says to paste is read out of it, rendered as Home Assistant does, and
sent to the API; its sensors and its player are fed with what the API answers."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from jinja2 import StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment
from pydantic import JsonValue

from agent.access.keys import KeyFile
from agent.cli.home_assistant import Box, package, secrets
from agent.events.event import Occurrence, Run, event_of
from agent.events.timestamp import timestamp
from agent.frontends.http.requests import StartBody
from agent.reporting.webhooks.webhook import body_of
from agent.types import DeviceInfo
from cast_wire.kinds import EventKind
from tests.support.api import Tracked, tracked
from tests.support.tools import LOOK_EVERY_S

PAGE = Path(__file__).parents[3] / "docs" / "home-assistant.md"
*NATIVE, KEY_LINE, PACKAGE, AUTOMATION, TOLD, SPOKEN, SNAPSHOT, STOP_ALL = re.findall(
    r"```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL
)
EXAMPLE = Box("Living room", "http://192.168.1.20:8090")
FILM, CAMERA = "http://film/one.mp4", "http://film/door"
SOON_S = 5.0


UNIVERSAL_PLAYER_SHOWS = {"state", "volume_level", "is_volume_muted"}
"""The attributes that a universal player takes from `attributes:`, of all that we have; it does not take the title, for
one (universal/media_player.py of core 2024.3 and 2025.4)."""


def load(text: str, *, key: str = "") -> Any:
    """Read a text like Home Assistant; `key` is what the page's line in secrets.yaml holds in place of its example."""

    class Loader(yaml.SafeLoader):  # type: ignore[misc]
        """Knows `!secret`, out of the page's own secrets."""

    secret = yaml.safe_load(KEY_LINE.replace("cak_the-key-that-setup-printed", key))
    secret["home_assistant_authorization"] = "Bearer of-home-assistant"
    Loader.add_constructor("!secret", lambda loader, node: secret[node.value])
    return yaml.load(text, Loader)


class HomeAssistant:
    """The parts of Home Assistant that the page needs (core 2025.4, with which the whole page was tried: rest_command,
    rest, universal media_player). Templates may ask whether something is defined, but what is not may not get into a
    text."""

    def __init__(self, box: Tracked, text: str = PACKAGE, *, key: str = "") -> None:
        self._box = box
        self.config: dict[str, Any] = load(text, key=key)
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

    async def press(self, command: str, **variables: object) -> dict[str, Any]:
        """A button of the player. `variables` are what the universal player passes: the fields of the action."""
        return await self.act(self.player["commands"][command], **variables)

    async def call(self, name: str, **data: object) -> dict[str, Any]:
        """A rest_command. Without a content type of its own Home Assistant sends bytes."""
        command = self.config["rest_command"][name]
        body = self.render(command["payload"], **data).encode() if "payload" in command else None
        headers = command.get("headers", {}) | {"Content-Type": command.get("content_type", "application/octet-stream")}
        path = command["url"].removeprefix(EXAMPLE.url)
        async with self._box.client.request(command["method"], path, data=body, headers=headers) as answer:
            assert answer.status == 200, await answer.text()
            assert answer.content_type == "application/json"
            return dict(await answer.json())

    async def scan(self) -> dict[str, Any]:
        """Ask as the REST sensors do, which take every answer for what they asked for; their states by entity id."""
        [rest] = self.config["rest"]
        path = rest["resource"].removeprefix(EXAMPLE.url)
        async with self._box.client.get(path, headers=rest.get("headers")) as answer:
            text = await answer.text()
        value = json.loads(text)
        for kind in ("sensor", "binary_sensor"):
            for sensor in rest[kind]:
                entity = f"{kind}.{sensor['name'].replace(' ', '_')}"
                shown = self.render(sensor["value_template"], value=text, value_json=value)
                if self.render(sensor["availability"], value=text, value_json=value) != "True":
                    self.states[entity] = "unavailable"
                    continue
                self.states[entity] = shown if kind == "sensor" else {"True": "on", "False": "off"}[shown]
                assert set(sensor.get("json_attributes", ())) <= value.keys()
        return dict(value)

    @property
    def player(self) -> dict[str, Any]:
        [player] = self.config["media_player"]
        return dict(player)

    def player_says(self) -> dict[str, str]:
        """The state and the attributes of the universal media player."""
        attributes = {name: self.states[entity] for name, entity in self.player["attributes"].items()}
        assert attributes.keys() <= UNIVERSAL_PLAYER_SHOWS
        return {"state": self.render(self.player["state_template"]), **attributes}


@pytest.fixture
async def box(tmp_path: Path) -> AsyncIterator[Tracked]:
    async with tracked(folder=tmp_path) as box:
        yield box


@pytest.fixture(params=["with a key", "without keys"])
def hass(box: Tracked, tmp_path: Path, request: pytest.FixtureRequest) -> HomeAssistant:
    """The configurations for a box that lets nobody in without the key in secrets.yaml, and for one that needs none."""
    if request.param == "with a key":
        return HomeAssistant(box, key=KeyFile(tmp_path).add("home-assistant"))
    return HomeAssistant(box, package(replace(EXAMPLE, needs_key=False)))


async def wait_state(hass: HomeAssistant, wanted: str) -> None:
    try:
        async with asyncio.timeout(SOON_S):
            while (await hass.scan()) and hass.player_says()["state"] != wanted:
                await asyncio.sleep(LOOK_EVERY_S)
    except TimeoutError:
        raise AssertionError(f"the player says {hass.player_says()}, not {wanted}") from None


async def wait_on(hass: HomeAssistant, url: str) -> None:
    try:
        async with asyncio.timeout(SOON_S):
            while (stream := (await hass.scan())["stream"]) is None or (stream["url"], stream["state"]) != (
                url,
                "playing",
            ):
                await asyncio.sleep(LOOK_EVERY_S)
    except TimeoutError:
        raise AssertionError(f"{url} does not play") from None


def test_the_page_shows_what_setup_prints() -> None:
    assert package(EXAMPLE) == PACKAGE
    assert secrets(EXAMPLE, "cak_the-key-that-setup-printed") == KEY_LINE


async def test_the_player_plays_pauses_and_stops(hass: HomeAssistant) -> None:
    await hass.scan()
    assert hass.player_says() == {"state": "idle", "volume_level": "1.0", "is_volume_muted": "off"}
    assert hass.states["sensor.living_room_cast_title"] == ""
    await hass.press("play_media", media_content_id=FILM, media_content_type="video")
    await wait_state(hass, "playing")
    assert hass.states["sensor.living_room_cast_title"] == FILM
    await hass.press("media_pause")
    await wait_state(hass, "paused")
    await hass.press("media_play")
    await wait_state(hass, "playing")
    await hass.press("volume_set", volume_level=0.25)
    await hass.press("volume_mute", is_volume_muted=True)
    await hass.scan()
    assert (hass.player_says()["volume_level"], hass.player_says()["is_volume_muted"]) == ("0.25", "on")
    await hass.call("living_room_cast_seek", position="61.5")
    await hass.press("turn_off")
    await wait_state(hass, "idle")
    assert (await hass.press("media_stop"))["message"] == "No active stream"


async def test_the_doorbell_interrupts_and_the_film_comes_back(hass: HomeAssistant) -> None:
    """Ended by its session, the doorbell ends alone, and when it is over already nothing does; a stop without one ends
    what is on top; `all` ends everything."""
    [automation] = load(AUTOMATION)["automation"]
    ring, wait, end = automation["actions"]
    assert ring["data"].pop("url").startswith("rtsp://")
    assert wait["timeout"] == ring["data"]["duration"]
    assert wait["continue_on_timeout"] is False
    ring["data"]["url"] = CAMERA
    await hass.call("living_room_cast_start", url=FILM)
    await wait_state(hass, "playing")
    answer = await hass.act(ring)
    await wait_on(hass, CAMERA)
    status = await hass.scan()
    assert [waiting["url"] for waiting in status["interrupted"]] == [FILM]
    assert (status["stream"]["title"], status["stream"]["quality"]) == ("Front door", "low-latency")
    assert hass.states["sensor.living_room_cast_title"] == "Front door"
    heard = {ring["response_variable"]: {"content": answer, "status": 200}}
    await hass.act(end, **heard)
    await wait_on(hass, FILM)
    assert "nothing was stopped" in (await hass.act(end, **heard))["message"]
    await wait_on(hass, FILM)
    await hass.act(ring)
    await wait_on(hass, CAMERA)
    await hass.press("media_stop")
    await wait_on(hass, FILM)
    await hass.act(ring)
    await hass.act(load(STOP_ALL))
    await wait_state(hass, "idle")


def test_what_the_box_tells_is_understood(hass: HomeAssistant) -> None:
    """The body of a webhook, as Home Assistant hands it to the automation: failures are told, other ends are not."""
    [automation] = load(TOLD)["automation"]
    [trigger] = automation["triggers"]
    assert (trigger["trigger"], trigger["allowed_methods"], trigger["local_only"]) == ("webhook", ["POST"], True)
    [condition], [action] = automation["conditions"], automation["actions"]
    error: dict[str, JsonValue] = {"code": "media_network", "message": "cam.local cannot be reached."}
    ends: tuple[tuple[dict[str, JsonValue], str], ...] = (
        ({"reason": "failed", "error": error}, "True"),
        ({"reason": "stopped"}, "False"),
    )
    for data, is_told in ends:
        ended = Occurrence(EventKind.SESSION_ENDED, timestamp(), "9b2c", data)
        event = event_of(ended, Run("4f0c", "0.1.0"), 1)
        told = {"json": json.loads(body_of(event, DeviceInfo(id="4bf5", name="Living room", version="0.1.0")))}
        assert hass.render(condition, trigger=told) == is_told
        if is_told == "True":
            texts = {name: hass.render(text, trigger=told) for name, text in action["data"].items()}
            assert texts == {"title": "Living room", "message": "cam.local cannot be reached."}


@pytest.mark.parametrize("key", ["cak_wrong", ""])
async def test_a_refused_key_is_not_an_idle_screen(box: Tracked, tmp_path: Path, key: str) -> None:
    """Home Assistant takes a refusal for an answer: the templates must not, nor stumble over it."""
    KeyFile(tmp_path).add("other")
    hass = HomeAssistant(box, key=key)
    for _ in range(8):  # 401, and 429 in the end
        await hass.scan()
        assert set(hass.states.values()) == {"unavailable"}
        assert hass.player_says()["state"] == "unavailable"


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


async def test_a_spoken_message_and_a_snapshot_are_sent_whole(box: Tracked) -> None:
    """The message's address is what Home Assistant answers to its own call; the snapshot's is made of the picture of a
    camera, and is fetched again."""
    hass = HomeAssistant(box)
    spoken = load(SPOKEN)
    ask, play = spoken["script"]["say_on_the_tv"]["sequence"]
    assert ask["action"] == "rest_command.spoken_message"
    payload = spoken["rest_command"]["spoken_message"]["payload"]
    assert json.loads(hass.render(payload, **ask["data"])) == {"engine_id": "tts.piper", "message": "{{ message }}"}
    await hass.act(play, spoken={"content": {"url": FILM}})
    await wait_on(hass, FILM)
    snapshot = yaml.safe_load(SNAPSHOT)
    assert StartBody.parse(snapshot["data"] | {"url": FILM}).refresh == 5
    assert (
        hass._jinja.from_string(snapshot["data"]["url"]).render(
            state_attr=lambda entity, name: "/api/camera_proxy/camera.garden?token=1"
        )
        == "http://homeassistant.local:8123/api/camera_proxy/camera.garden?token=1"
    )
