"""The picture of what has gone."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from agent.casting.last_frame import LastFrame
from tests.support.fakes import FakePlayers, FakeStage, FakeWindow
from tests.support.virtual_time import VirtualTimeLoop


def run(scene: Coroutine[Any, Any, None]) -> None:
    loop = VirtualTimeLoop()
    try:
        loop.run_until_complete(scene)
    finally:
        loop.close()


async def shown(stage: FakeStage) -> FakeWindow:
    window = await stage.open_window()
    await window.show()
    return window


def test_it_stays_until_something_takes_its_place() -> None:
    async def scene() -> None:
        stage, picture = FakeStage(FakePlayers()), LastFrame(closed=lambda: None)
        old = await shown(stage)
        picture.keep(old)
        await asyncio.sleep(3600)
        assert stage.stack == [old]
        new = await shown(stage)
        picture.keep(new)
        await picture.gone()
        assert stage.stack == [new]
        picture.close()
        await picture.gone()
        assert not stage.windows

    run(scene())


@pytest.mark.parametrize("asked", [1, 3])
def test_it_can_be_given_a_time(asked: int) -> None:
    """The first word counts: who asks again does not make it stay longer."""

    async def scene() -> None:
        stage, picture = FakeStage(FakePlayers()), LastFrame(closed=lambda: None)
        picture.keep(await shown(stage))
        for _ in range(asked):
            picture.close_in(5.0)
            await asyncio.sleep(1.0)
        await asyncio.sleep(4.9 - asked)
        assert stage.stack
        await asyncio.sleep(0.2)
        assert not stage.windows

    run(scene())


def test_the_time_of_one_is_not_that_of_the_next() -> None:
    async def scene() -> None:
        stage, picture = FakeStage(FakePlayers()), LastFrame(closed=lambda: None)
        picture.keep(await shown(stage))
        picture.close_in(5.0)
        picture.keep(await shown(stage))
        await asyncio.sleep(60)
        assert len(stage.stack) == 1

    run(scene())
