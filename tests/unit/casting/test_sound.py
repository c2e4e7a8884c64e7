"""The sound of one stream that takes the place of another: on players and a stage that are scripted."""

from __future__ import annotations

import pytest

from agent.errors import PlayerTimeoutError
from agent.types import StartRequest
from tests.support.fakes import FakePlayer
from tests.unit.casting.test_pages import Box, scene


def film(host: str = "film") -> StartRequest:
    return StartRequest(url=f"http://{host}/one.mp4")


@scene
async def test_the_next_sound_is_prepared_while_the_one_before_is_heard(box: Box) -> None:
    """The first stream has none to wait for, so nothing of it is prepared."""
    first = await box.show(film())
    await box.until(lambda: first.sound)
    assert not first.commands
    heard: list[bool] = []

    def note(player: FakePlayer, _why: object) -> None:
        heard.append(player.sound and box.seen.commands == ["prepare_sound"] and not box.seen.sound)

    first.killed = note
    second = await box.show(film())
    await box.until(lambda: second.sound)
    assert heard == [True]
    assert second.commands == ["prepare_sound"]


@scene
async def test_a_stream_that_hangs_over_its_sound_leaves_the_one_before(box: Box) -> None:
    first = await box.show(film())
    await box.until(lambda: first.sound)
    with pytest.raises(PlayerTimeoutError):
        await box.tracker.first_frame(box.tracker.start(film("deaf")), 30.0)
    assert (first.alive, first.sound, box.seen is first) == (True, True, True)
