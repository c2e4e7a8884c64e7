"""The agent as a device of Home Assistant: driven by the client that Home Assistant uses, and seen on the screen."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest
from aioesphomeapi.model import MediaPlayerState

from agent.frontends.esphome.key import KeyFile
from tests.support.agent import Agent
from tests.support.esphome import KEY
from tests.support.home_assistant import SOON_S, HomeAssistant, connected
from tests.support.media_server import MediaServer
from tests.support.sockets import free_port
from tests.support.tools import until
from tests.support.xserver import XServer


@pytest.fixture(scope="module")
def port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def shared(xserver: XServer, port: int) -> Iterator[Agent]:
    agent = Agent(xserver.display, audio__output="none", esphome__enabled=True, esphome__port=port)
    KeyFile(agent.folder / "state").add(KEY)
    with agent:
        yield agent


@pytest.fixture
async def hass(agent: Agent, port: int) -> AsyncIterator[HomeAssistant]:
    async with connected(port) as hass:
        yield hass


async def test_a_film_is_played_seen_and_stopped(hass: HomeAssistant, media_server: MediaServer) -> None:
    """The action answers with the session; its state, its picture and its events follow."""
    await hass.wait_state("State", "idle")
    await until(lambda: hass.picture == "black", timeout_s=SOON_S, what="there is a picture from the start")
    succeeded, answer = await hass.act(
        "show", url=media_server.url("/film/red.mp4"), title="Red", duration=0.0, interrupt=False
    )
    assert (succeeded, answer["status"]) == (True, "success")
    assert answer["time_to_first_frame"] > 0
    await hass.wait_state("State", "playing")
    await hass.wait_state("On screen", "Red")
    assert hass.player.state is MediaPlayerState.PLAYING
    await until(lambda: hass.picture == "red", timeout_s=SOON_S, what="the picture shows the film")
    assert (await hass.act("stop"))[1] == {"stopped": [answer["session_id"]]}
    await until(lambda: hass.picture == "black", timeout_s=SOON_S, what="the picture shows that nothing is on")
    await until(lambda: len(hass.events) >= 3, timeout_s=SOON_S, what="the events have come")
    assert [event["kind"] for event in hass.events] == ["session_started", "first_frame", "session_ended"]
    assert {event["session_id"] for event in hass.events} == {answer["session_id"]}


async def test_what_cannot_be_played_says_why(hass: HomeAssistant, media_server: MediaServer) -> None:
    """The action fails with the sentence; the player, which cannot fail, has it told by a sensor and an event."""
    succeeded, sentence = await hass.act("play", url=media_server.url("/nothing.mp4"))
    assert not succeeded
    await hass.wait_state("Last error", sentence[:255])
    hass.play("media-source://radio")
    await until(lambda: hass.events[-1]["kind"] == "command_failed", timeout_s=SOON_S)
    assert hass.events[-1]["code"] == "invalid_request"


async def test_an_announcement_interrupts_and_the_film_returns(hass: HomeAssistant, media_server: MediaServer) -> None:
    clips = media_server.clips
    await hass.act("play", url=media_server.url("/film/red.mp4"))
    announcement = media_server.file_url(clips.film_mp4("green", 2))
    hass.play(announcement, announcement=True)
    await hass.wait_state("On screen", announcement)
    await hass.wait_state("On screen", media_server.url("/film/red.mp4"))
    await until(lambda: hass.picture == "red", timeout_s=SOON_S, what="the film is seen again")


async def test_a_preset_is_there_within_a_second_and_can_be_selected(
    agent: Agent, hass: HomeAssistant, port: int, media_server: MediaServer
) -> None:
    """The connection ends, and the next list has it."""
    agent.call("DELETE", "/presets/blue")  # of an earlier try
    preset = {"id": "blue", "title": "Blue film", "url": media_server.url("/film/blue.mp4")}
    async with connected(port) as before:
        assert "Preset" not in before.entities
        assert (await asyncio.to_thread(agent.call, "POST", "/presets", preset)).status == 201
        await until(lambda: before.is_lost, timeout_s=SOON_S, what="the connection ends")
    async with connected(port) as after:
        after.client.select_command(after.entities["Preset"].key, "Blue film")
        await after.wait_state("Preset", "Blue film")
        await until(lambda: after.picture == "blue", timeout_s=SOON_S, what="the preset is seen")
        assert (await asyncio.to_thread(agent.call, "DELETE", "/presets/blue")).status == 200
        await until(lambda: after.is_lost, timeout_s=SOON_S, what="the connection ends")


async def test_after_a_burst_the_last_state_is_right(agent: Agent, hass: HomeAssistant) -> None:
    """However many come at once, Home Assistant ends with what is so."""

    def burst() -> None:
        for percent in range(100):
            assert agent.call("POST", "/volume", {"volume_level": percent / 100}).status == 200

    try:
        await asyncio.to_thread(burst)
        await until(lambda: round(hass.player.volume, 2) == 0.99, timeout_s=SOON_S, what="the last volume has come")
        hass.client.media_player_command(hass.entities[""].key, volume=0.5)
        await until(lambda: agent.status()["volume"]["volume_level"] == 0.5, timeout_s=SOON_S, what="it is set")
    finally:
        agent.call("POST", "/volume", {"volume_level": 1.0})
