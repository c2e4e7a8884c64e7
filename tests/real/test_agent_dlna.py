"""The screen as a DLNA renderer: the real agent, and Home Assistant's own client."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from itertools import pairwise

import pytest
from async_upnp_client.exceptions import UpnpActionError

from tests.support.agent import Agent
from tests.support.dlna import Controller, controller
from tests.support.leaks import LeakCheck
from tests.support.looking import wait_colour, wait_moves
from tests.support.media_server import MediaServer
from tests.support.recorder import ScreenRecorder
from tests.support.screen import Screen
from tests.support.xserver import XServer

FILMS = 10


@pytest.fixture(scope="module")
def shared(xserver: XServer, media_server: MediaServer, leaks: LeakCheck) -> Iterator[Agent]:
    with Agent(
        xserver.display, audio__output="none", dlna__enabled=True, dlna__port=0, dlna__host="127.0.0.1"
    ) as agent:
        leaks.own_pids(lambda: agent.pids)
        agent.wait_until(lambda: agent.status()["dlna"]["port"], 5, "it listens")
        yield agent


@pytest.fixture
async def home(agent: Agent) -> AsyncIterator[Controller]:
    async with controller(f"http://127.0.0.1:{agent.status()['dlna']['port']}/description.xml") as home:
        yield home


async def test_a_controller_plays_and_controls_a_film(
    agent: Agent, home: Controller, screen: Screen, media_server: MediaServer
) -> None:
    """Title, length, position, seek, pause, volume and mute work, and the controller is told of what others do."""
    device = home.device
    await home.play_media(media_server.url("/film/green.mp4"), "A green film")
    assert screen.colour_at_centre() == "green"
    assert (await home.places())[1] == 10
    assert device.media_title == "A green film"
    assert agent.status()["stream"]["title"] == "A green film"
    await device.async_pause()
    assert device.transport_state == "PAUSED_PLAYBACK"
    await device.async_seek_rel_time(timedelta(seconds=7))
    assert (await home.places())[0] == 7
    await device.async_play()
    await asyncio.to_thread(wait_moves, screen, "green")
    await device.async_set_volume_level(0.3)
    await device.async_mute_volume(True)
    volume = agent.status()["volume"]
    assert (volume["volume_level"], volume["muted"], device.volume_level, device.is_volume_muted) == (
        0.3,
        True,
        0.3,
        True,
    )
    await asyncio.to_thread(agent.call, "POST", "/volume", {"muted": False, "volume_level": 1.0})
    await asyncio.to_thread(agent.stop)
    async with asyncio.timeout(5):
        while device.transport_state != "STOPPED" or device.is_volume_muted:
            await asyncio.sleep(0.01)


async def test_films_in_a_row_play_without_black(
    home: Controller, xserver: XServer, screen: Screen, media_server: MediaServer
) -> None:
    """Each is stopped before the next one is named, as Home Assistant does it: all play, and nothing is black."""
    colours = [("red", "blue")[number % 2] for number in range(FILMS)]
    await home.play_media(media_server.url("/film/green.mp4"), "Film")
    with ScreenRecorder(xserver.display) as recorder:
        for colour in colours:
            await home.play_media(media_server.url(f"/film/{colour}.mp4"), f"Film {colour}")
            await asyncio.to_thread(wait_moves, screen, colour)
        recording = recorder.stop()
    assert recording.colours() == ["green", *colours], [
        *((call, round(at, 3)) for call, at in home.calls),
        *((run.colour, round(run.start, 3)) for run in recording.runs()),
    ]
    assert recording.seconds_of("black") == 0
    assert ("PLAYING", "PLAYING") not in pairwise(home.states)


async def test_a_stop_ends_the_picture(home: Controller, screen: Screen, media_server: MediaServer) -> None:
    """The last picture stays for a moment only when nothing follows."""
    await home.play_media(media_server.url("/film/red.mp4"), "Film")
    await home.device.async_stop()
    await asyncio.to_thread(wait_colour, screen, "black")


async def test_what_cannot_be_played_is_an_error_with_a_sentence(home: Controller, media_server: MediaServer) -> None:
    with pytest.raises(UpnpActionError) as raised:
        await home.play_media(media_server.url("/nothing-here.mp4"), "Film")
    assert raised.value.error_code == 716
    assert raised.value.error_desc is not None
    assert "answered 404: there is nothing at this address; check the path." in raised.value.error_desc
    await home.device.async_update()
    assert home.device.transport_state == "STOPPED"


async def test_a_live_stream_has_no_length_and_no_position(home: Controller, media_server: MediaServer) -> None:
    await home.play_media(media_server.url("/live/blue.ts"), "Door")
    assert await home.places() == (None, None)
    assert not home.device.can_seek_rel_time


async def test_an_address_may_carry_the_fields_of_a_start(
    agent: Agent, home: Controller, screen: Screen, media_server: MediaServer
) -> None:
    """The current stream is interrupted for that long, and comes back."""
    agent.start(media_server.url("/film/red.mp4"))
    await home.device.async_set_transport_uri(
        media_server.url("/film/blue.mp4") + "#interrupt&duration=3&title=Bell", "No"
    )
    await home.device.async_play()
    await asyncio.to_thread(wait_colour, screen, "blue")
    assert agent.status()["stream"]["title"] == "Bell"
    await asyncio.to_thread(wait_colour, screen, "red")
