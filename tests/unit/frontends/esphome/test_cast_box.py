"""Lists, states, events and pictures of the box, as clients of the ESPHome API get them. Time is virtual."""

from __future__ import annotations

import asyncio

import pytest

from agent.errors import PlayerUnavailableError
from agent.events.bus import QUEUE_LIMIT
from agent.frontends.esphome.cast_box import LOOK_EVERY_S
from agent.frontends.esphome.entities import TEXT_LIMIT
from agent.frontends.esphome.messages import api
from agent.frontends.esphome.picture import EVERY_S, PIECE_BYTES
from agent.frontends.esphome.seen import OPTION_LENGTH, OPTIONS_LIMIT
from agent.health import ReportingStatus
from agent.stage.base import ImageFormat
from agent.types import SessionId
from cast_wire.kinds import EventKind
from tests.support.esphome_box import Boxed, Client, boxed
from tests.support.fakes import FakeStage
from tests.support.virtual_time import in_virtual_time

FILM = "http://film/one.mp4"
DOOR = {"id": "front-door", "title": "Front door", "url": "http://viewer:secret@film/door.mp4"}

ALWAYS = {
    "": "media_player",
    "State": "state",
    "On screen": "on_screen",
    "Since": "since",
    "Last end": "last_end",
    "Last error": "last_error",
    "Time to first frame": "time_to_first_frame",
    "Problem": "problem",
    "Picture": "picture",
    "Activity": "activity",
    "Stop": "stop",
    "Stop all": "stop_all",
    "Identify": "identify",
}
"""Names and object ids are identities: people's automations end when one changes."""


def object_ids(box: Boxed) -> dict[str, str]:
    return {name: one.object_id for name, one in box.listed().items() if hasattr(one, "object_id")}


@in_virtual_time
async def test_the_first_list_has_the_presets() -> None:
    """Whoever connects as soon as the box listens need not connect again for them."""
    box = Boxed(configured=[DOOR])
    await box.rooms.casting.presets.look()
    await box.box.start()
    assert "Preset" in box.listed()
    await box.box.stop()
    await box.rooms.tracker.close()


@in_virtual_time
async def test_a_box_lists_what_it_has() -> None:
    """An entity that this box does not have is not listed, and no two messages share a key."""
    async with boxed() as box:
        box.rooms.screen.can = False
        assert object_ids(box) == ALWAYS
    async with boxed(configured=[DOOR], restart=lambda: None) as box:
        box.reporting = ReportingStatus(enabled=True)
        await asyncio.sleep(LOOK_EVERY_S)
        more = {
            "Preset": "preset",
            "Join code": "join_code",
            "Central": "central",
            "Restart": "restart",
            "Screen": "screen",
        }
        assert object_ids(box) == ALWAYS | more
        keys = [message.key for message in box.box.entities()]  # type: ignore[attr-defined]
        assert len(set(keys)) == len(keys)
        assert box.listed()["State"].key == 3621458105, "the same in every run and version"


@in_virtual_time
async def test_states_follow_what_is_on() -> None:
    async with boxed() as box:
        assert (box.state("State"), box.state("On screen"), box.state("Since")) == ("idle", None, None)
        await box.act("show", FILM, "One", 0.0, False)
        await asyncio.sleep(1)
        assert (box.state("State"), box.state("On screen")) == ("playing", "One")
        assert box.state("") == api.MEDIA_PLAYER_STATE_PLAYING
        assert box.state("Since").endswith("+00:00")
        assert 0 < box.state("Time to first frame") < 1
        await box.press("Stop")
        assert (box.state("State"), box.state("Last end"), box.state("On screen")) == ("idle", "stopped", None)


@in_virtual_time
async def test_a_client_is_told_each_difference_once() -> None:
    """The newest state of each entity is what the client has in the end, and nothing is told twice in a row."""
    async with boxed() as box:
        told = dict(box.box.states())
        await box.act("play", FILM)
        await box.play(volume=0.25)
        await asyncio.sleep(3 * LOOK_EVERY_S)
        for key, state in box.client.states:
            assert told[key] != state
            told[key] = state
        assert told == box.box.states()
        assert told[box.listed()[""].key].volume == 0.25  # type: ignore[attr-defined]


@in_virtual_time
async def test_a_long_text_is_cut() -> None:
    """Home Assistant takes a longer state for unknown."""
    async with boxed() as box:
        await box.act("play", f"{FILM}?{'x' * 400}")
        assert len(box.state("On screen")) == TEXT_LIMIT


@in_virtual_time
async def test_a_problem_is_seen_without_an_event() -> None:
    async with boxed() as box:
        assert not box.state("Problem")
        box.problems = ("The disk is full.",)
        await asyncio.sleep(LOOK_EVERY_S)
        key = box.listed()["Problem"].key
        assert [state.state for told, state in box.client.states if told == key] == [True]


@in_virtual_time
async def test_a_preset_is_there_as_soon_as_it_is_saved() -> None:
    """Adding, renaming and removing one changes the list, and nothing else does."""
    async with boxed() as box:
        presets = box.rooms.casting.presets
        for change, options in (
            (presets.add(DOOR), ["Front door"]),
            (presets.change("front-door", {"title": "Door"}, etag=None), ["Door"]),
            (presets.remove("front-door", etag=None), None),
        ):
            before = box.client.relists
            await change
            await asyncio.sleep(0.1)
            listed = box.listed().get("Preset")
            assert (None if listed is None else list(listed.options)) == options
            assert box.client.relists == before + 1
        await box.act("play", FILM)
        await box.rooms.casting.recent.clear()
        await asyncio.sleep(LOOK_EVERY_S)
        assert box.client.relists == 3


@in_virtual_time
async def test_a_preset_is_selected_by_its_name() -> None:
    async with boxed(configured=[DOOR, {"id": "radio", "url": "http://radio/"}]) as box:
        select = box.listed()["Preset"]
        assert (list(select.options), box.state("Preset")) == (["Front door", "radio"], None)
        await box.box.command(api.SelectCommandRequest(key=select.key, state="Front door"), box.client)
        await asyncio.sleep(1)
        assert (box.state("Preset"), box.state("On screen")) == ("Front door", "Front door")
        await box.act("preset", "radio")
        assert box.state("Preset") == "radio"


@in_virtual_time
async def test_many_presets_with_long_titles_fit_into_one_message() -> None:
    """Each can be selected, also of several with one title."""
    title = "\N{CINEMA}" * 200
    many = [{"id": f"{n:0>64}", "title": title, "url": FILM} for n in range(OPTIONS_LIMIT + 5)]
    async with boxed(configured=many) as box:
        select = box.listed()["Preset"]
        assert len(set(select.options)) == OPTIONS_LIMIT
        assert max(map(len, select.options)) == OPTION_LENGTH
        assert select.ByteSize() < 2**16 - 100


@in_virtual_time
async def test_the_join_code_is_that_of_what_is_on() -> None:
    async with boxed() as box:
        box.reporting = ReportingStatus(enabled=True, connected=True)
        assert (box.state("Join code"), box.state("Central")) == (None, True)
        box.reporting = ReportingStatus(enabled=True, connected=False, code="K7QF2M")
        assert (box.state("Join code"), box.state("Central")) == ("K7QF2M", False)


@in_virtual_time
async def test_automations_hear_of_sessions_with_their_data() -> None:
    async with boxed() as box:
        answer = await box.act("show", "http://viewer:secret@short/door.mp4", "Door", 0.0, False)
        await asyncio.sleep(5)
        kinds = [event["kind"] for event in box.client.events]
        assert kinds == ["session_started", "first_frame", "session_ended"]
        assert [event.event_type for event in box.client.of(api.EventResponse)] == kinds
        ended = box.client.events[-1]
        assert ended["session_id"] == answer["session_id"]
        assert (ended["title"], ended["reason"], ended["url"]) == ("Door", "finished", "http://***@short/door.mp4")
        request = box.client.of(api.HomeassistantActionRequest)[0]
        assert (request.service, request.is_event) == ("esphome.cast_agent", True)


@in_virtual_time
async def test_a_stream_that_breaks_says_why() -> None:
    async with boxed() as box:
        await box.play(media_url="http://broken/")
        await asyncio.sleep(60)
        assert [event["kind"] for event in box.client.events] == ["session_started", "session_ended"], "not each try"
        ended = box.client.events[-1]
        assert ended["code"] == "media_network"
        assert box.state("Last error") == ended["message"] == "scripted"
        await box.act("play", FILM)
        await box.press("Stop")
        assert box.state("Last error") is None


@in_virtual_time
async def test_a_stream_that_breaks_later_is_failing_until_it_is_back() -> None:
    async with boxed() as box:
        await box.act("play", "http://breaks/")
        await asyncio.sleep(10)
        kinds = [event["kind"] for event in box.client.events]
        assert kinds[:4] == ["session_started", "first_frame", "session_failing", "session_resumed"]


@in_virtual_time
async def test_a_burst_leaves_the_newest_state() -> None:
    """The newest state is there even where so much happens at once that events are lost."""
    async with boxed() as box:
        await asyncio.sleep(1)
        for number in range(QUEUE_LIMIT + 10):
            box.rooms.bus.publish(EventKind.SESSION_CHANGED, SessionId(str(number)))
        await box.play(volume=0.5)
        await asyncio.sleep(1)
        volumes = [state.volume for key, state in box.client.states if key == box.listed()[""].key]
        assert volumes[-1] == 0.5
        assert len(volumes) <= 2


# --- pictures ---


class Screen(FakeStage):
    """Counts its pictures."""

    taken = 0

    async def snapshot(self, image_format: ImageFormat = "png", *, width: int | None = None) -> bytes:
        if not self.available:
            raise PlayerUnavailableError("There is no display.")
        self.taken += 1
        return b"%d" % self.taken + b"x" * 2 * PIECE_BYTES


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> type[Screen]:
    monkeypatch.setattr("tests.support.api.FakeStage", Screen)
    return Screen


def numbers(client: Client) -> list[int]:
    return [int(picture.rstrip(b"x")) for picture in client.pictures]


@in_virtual_time
async def test_a_client_has_a_picture_from_the_start_and_of_each_change(screen: type[Screen]) -> None:
    """A camera is unavailable until one comes; in pieces, because a message has less than 64 KiB."""
    async with boxed() as box:
        await asyncio.sleep(2)
        assert numbers(box.client) == [1]
        pieces = box.client.of(api.CameraImageResponse)
        assert [piece.done for piece in pieces] == [False, False, True]
        assert max(piece.ByteSize() for piece in pieces) < 2**16 - 100
        await box.act("play", FILM)
        await asyncio.sleep(60)
        assert numbers(box.client) == [1, 2], "what moves is no change"
        await box.press("Stop")
        await asyncio.sleep(2)
        assert numbers(box.client) == [1, 2, 3]


@in_virtual_time
async def test_many_questions_for_a_picture_cost_one_a_second(screen: type[Screen]) -> None:
    async with boxed() as box:
        other = Client()
        unsubscribe = box.box.subscribe(other)
        for _ in range(50):
            await box.box.command(api.CameraImageRequest(stream=True), other)
            await asyncio.sleep(EVERY_S / 10)
        assert 5 <= numbers(other)[-1] <= 6
        assert numbers(box.client) == [1], "one that did not ask is told of changes only"
        await asyncio.sleep(EVERY_S / 2)
        await box.box.command(api.CameraImageRequest(single=True), other)
        unsubscribe()
        before = len(other.pictures)
        await asyncio.sleep(3)
        assert len(other.pictures) == before, "it has gone"


@in_virtual_time
async def test_a_picture_comes_once_there_is_a_display(screen: type[Screen]) -> None:
    async with boxed() as box:
        box.rooms.stage.lose_display()
        await asyncio.sleep(3)
        assert numbers(box.client) == []
        box.rooms.stage.regain_display()
        box.rooms.bus.publish(EventKind.DISPLAY_CHANGED, available=True)
        await asyncio.sleep(3)
        assert numbers(box.client) == [1]
