"""The calls of Home Assistant: actions, which answer, and commands, which cannot. Time is virtual."""

from __future__ import annotations

import asyncio
import math

import pytest

from agent.frontends.esphome.messages import api
from agent.types import ShownAs
from tests.support.esphome_box import boxed
from tests.support.virtual_time import in_virtual_time

FILM = "http://film/one.mp4"


@in_virtual_time
async def test_a_good_action_answers_with_the_session_and_how_long_it_took() -> None:
    async with boxed() as box:
        answer = await box.act("play", FILM)
        shown = box.rooms.tracker.snapshot().on_screen
        assert shown is not None
        assert answer == {
            "status": "success",
            "session_id": shown.session_id,
            "time_to_first_frame": shown.time_to_first_frame,
        }


@in_virtual_time
async def test_a_failed_action_answers_with_our_sentence() -> None:
    async with boxed() as box:
        assert await box.act("play", "http://broken/") == "scripted"
        assert "must begin with" in await box.act("play", "gopher://film/")
        assert await box.act("play", "") == "url is required, for example http://example.org/film.mp4."
        assert await box.act("preset", "none") == "There is no preset none. There are none at all."
        assert await box.act("seek", 5.0) == "Nothing is on that could seek."
        assert await box.act("extend", 5.0) == "Nothing is on that could be extended."
        assert "central API" in await box.act("play_code", "K7QF2M")
        assert "duration must be more than 0" in await box.act("show", FILM, "", -1.0, False)
        assert "number" in await box.act("show", FILM, "", math.inf, False)
        assert box.rooms.tracker.snapshot().stream is None


@in_virtual_time
async def test_empty_and_zero_are_not_given() -> None:
    """Home Assistant has people fill in every argument."""
    async with boxed() as box:
        await box.act("show", FILM, "", 0.0, False)
        shown = box.rooms.tracker.snapshot().on_screen
        assert shown is not None
        assert (shown.title, shown.expires_at) == (None, None)


@in_virtual_time
async def test_show_interrupts_for_a_time_and_the_film_returns() -> None:
    async with boxed() as box:
        film = await box.act("play", FILM)
        door = await box.act("show", "http://film/door.mp4", "Front door", 12.3, True)
        now = box.rooms.tracker.snapshot()
        assert now.on_screen is not None
        assert (now.on_screen.session_id, now.on_screen.title) == (door["session_id"], "Front door")
        await asyncio.sleep(20)
        back = box.rooms.tracker.snapshot().on_screen
        assert back is not None
        assert back.session_id == film["session_id"]


@in_virtual_time
async def test_a_web_page_is_shown_as_one() -> None:
    async with boxed() as box:
        answer = await box.act("page", "http://film/dashboard", "Dashboard", 0.0, False)
        (shown,) = box.rooms.tracker.saved()
        assert (shown.session_id, shown.request.shown_as) == (answer["session_id"], ShownAs.PAGE)
        await box.act("play", FILM)
        assert box.rooms.tracker.saved()[-1].request.shown_as is None


@in_virtual_time
async def test_what_is_on_is_sought_extended_and_stopped() -> None:
    async with boxed() as box:
        played = await box.act("show", FILM, "", 5.0, False)
        assert await box.act("seek", 0.0) == {"session_id": played["session_id"], "position": 0.0}
        assert await box.act("extend", 60.0) == {"session_id": played["session_id"]}
        await asyncio.sleep(30)
        assert await box.act("stop") == {"stopped": [played["session_id"]]}
        assert await box.act("stop") == {"stopped": []}
        first = await box.act("play", FILM)
        second = await box.act("show", FILM, "", 0.0, True)
        assert sorted((await box.act("stop_all"))["stopped"]) == sorted(one["session_id"] for one in (first, second))


@in_virtual_time
async def test_an_action_that_takes_longer_than_home_assistant_waits_is_pending(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It goes on, and its end is told as an event."""
    monkeypatch.setattr("agent.frontends.esphome.actions.FIRST_FRAME_S", 1.0)
    async with boxed() as box:
        answer = await box.act("play", "http://slow/")
        assert answer["status"] == "pending"
        await asyncio.sleep(5)
        assert (
            box.client.events[-1] | {"kind": "first_frame", "session_id": answer["session_id"]}
            == (box.client.events[-1])
        )


@in_virtual_time
async def test_a_call_of_an_older_list_is_told_what_to_do() -> None:
    async with boxed() as box:
        assert "reload" in await box.act("play", FILM, "more")
        unknown = api.ExecuteServiceRequest(key=1, call_id=99)
        await box.box.command(unknown, box.client)
        answer = box.client.messages[-1]
        assert (answer.call_id, answer.success) == (99, False)
        assert "reload" in answer.error_message


@in_virtual_time
async def test_a_fault_of_ours_is_answered_and_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits 30 s for an answer that never comes, and the log has the fault."""
    async with boxed() as box:

        async def stop(**_: object) -> None:
            raise RuntimeError("no such luck")

        monkeypatch.setattr(box.rooms.casting, "stop", stop)
        with pytest.raises(RuntimeError):
            await box.act("stop_all")
        answer = box.client.messages[-1]
        assert (answer.success, "its log has the details" in answer.error_message) == (False, True)


@in_virtual_time
async def test_an_action_without_a_listener_fails_aloud_elsewhere() -> None:
    """A call that wants no answer gets none: a sensor and an event have the sentence."""
    async with boxed() as box:
        key = box.listed()["stop"].key
        await box.box.command(api.ExecuteServiceRequest(key=key), box.client)
        assert not box.client.messages
        arguments = [api.ExecuteServiceArgument(string_="gopher://x/")]
        request = api.ExecuteServiceRequest(key=box.listed()["play"].key, args=arguments)
        await box.box.command(request, box.client)
        assert not box.client.of(api.ExecuteServiceResponse)
        assert "must begin with" in box.state("Last error")


@in_virtual_time
async def test_an_announcement_interrupts_and_the_film_returns() -> None:
    async with boxed() as box:
        await box.play(media_url=FILM)
        await asyncio.sleep(1)
        await box.play(media_url="http://short/hello.mp3", announcement=True)
        await asyncio.sleep(1)
        assert box.state("On screen") == "http://short/hello.mp3"
        await asyncio.sleep(5)
        assert (box.state("On screen"), box.state("State")) == (FILM, "playing")


@in_virtual_time
async def test_the_player_pauses_and_has_a_volume() -> None:
    async with boxed() as box:
        await box.act("play", FILM)
        await box.play(command=api.MEDIA_PLAYER_COMMAND_PAUSE)
        assert (box.state("State"), box.state("")) == ("paused", api.MEDIA_PLAYER_STATE_PAUSED)
        await box.play(command=api.MEDIA_PLAYER_COMMAND_PLAY)
        await asyncio.sleep(1)
        assert box.state("State") == "playing"
        await box.play(volume=0.3)
        await box.play(command=api.MEDIA_PLAYER_COMMAND_MUTE)
        assert (box.rooms.casting.volume.level, box.rooms.casting.volume.muted) == (0.3, True)
        await box.play(command=api.MEDIA_PLAYER_COMMAND_UNMUTE)
        assert not box.rooms.casting.volume.muted
        await box.play(command=api.MEDIA_PLAYER_COMMAND_STOP)
        assert box.state("State") == "idle"


@in_virtual_time
async def test_a_command_that_fails_is_told_by_a_sensor_and_an_event() -> None:
    """`play_media` has no way to fail; what was told is forgotten once something is started."""
    async with boxed() as box:
        for fields in ({"media_url": "media-source://radio"}, {"volume": 2.0}, {"command": 99}, {"volume": math.nan}):
            await box.play(**fields)
            failed = box.client.events[-1]
            assert failed["kind"] == "command_failed"
            assert failed["message"].startswith(box.state("Last error"))
        await box.box.command(api.SwitchCommandRequest(key=1), box.client)
        assert box.client.events[-1]["code"] == "not_supported"
        await box.act("play", FILM)
        assert box.state("Last error") is None


@in_virtual_time
@pytest.mark.parametrize("by", ["switch", "player"])
async def test_the_screen_is_switched_off_and_on(by: str) -> None:
    """Off ends what is on; the player is off while nothing is shown on a screen that is off."""
    async with boxed() as box:

        async def switch(on: bool) -> None:
            key = box.listed()["Screen"].key
            turn = api.MEDIA_PLAYER_COMMAND_TURN_ON if on else api.MEDIA_PLAYER_COMMAND_TURN_OFF
            if by == "player":
                await box.play(command=turn)
            else:
                await box.box.command(api.SwitchCommandRequest(key=key, state=on), box.client)
            await asyncio.sleep(1)

        await box.act("play", FILM)
        await asyncio.sleep(1)
        assert (box.state("Screen"), box.state("")) == (True, api.MEDIA_PLAYER_STATE_PLAYING)
        await switch(False)
        assert (box.state("Screen"), box.state(""), box.state("State")) == (False, api.MEDIA_PLAYER_STATE_OFF, "idle")
        await switch(True)
        assert (box.state("Screen"), box.state("")) == (True, api.MEDIA_PLAYER_STATE_IDLE)


@in_virtual_time
async def test_a_screen_that_cannot_be_switched_has_no_switch() -> None:
    async with boxed() as box:
        box.rooms.screen.can = False
        flags = box.listed()[""].feature_flags
        assert "Screen" not in box.listed()
        assert not flags & (128 | 256)
        await box.act("play", FILM)
        await asyncio.sleep(1)
        await box.play(command=api.MEDIA_PLAYER_COMMAND_TURN_OFF)
        assert box.client.events[-1]["code"] == "not_supported"
        assert box.state("State") == "playing"


@in_virtual_time
async def test_buttons_stop_identify_and_restart() -> None:
    restarts: list[None] = []
    async with boxed(restart=lambda: restarts.append(None)) as box:
        await box.act("play", FILM)
        await box.act("show", FILM, "", 0.0, True)
        await box.press("Stop all")
        await asyncio.sleep(1)
        assert box.state("State") == "idle"
        await box.press("Identify")
        await box.press("Restart")
        assert (box.identified, restarts) == (1, [None])
