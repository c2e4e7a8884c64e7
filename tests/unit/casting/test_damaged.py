"""A film that one engine cannot play beyond some place."""

from __future__ import annotations

import asyncio

import pytest

from agent.casting.limits import Limits
from agent.casting.parts import SessionParts
from agent.casting.tracker import StreamTracker
from agent.media.redaction import redact
from agent.types import StartRequest
from tests.support.fakes import FakePlayers, FakeStage
from tests.support.virtual_time import VirtualTimeLoop

LONG_ENOUGH_S = 60.0
"""For all tries with both engines, in virtual time."""


@pytest.mark.parametrize(("host", "reason"), [("damaged", "finished"), ("breaks", "failed")])
def test_a_film_that_ends_at_the_same_place_each_time_is_tried_by_another_engine(host: str, reason: str) -> None:
    """Which goes on behind the damage, or ends there, too."""

    async def work() -> None:
        players = FakePlayers()
        players.other_engines = {"other": ""}
        stage = FakeStage(players)
        tracker = StreamTracker(
            SessionParts(players, stage, redact), limits=Limits(start_timeout=10.0, stall_timeout=5.0)
        )
        assert await tracker.first_frame(tracker.start(StartRequest(url=f"http://{host}/")), 10.0)
        await asyncio.sleep(LONG_ENOUGH_S)
        last = tracker.snapshot().last
        assert last is not None
        assert last.reason == reason
        assert [player.engine for player in players.players if player.url] == ["fake"] * 3 + ["other"]
        await tracker.close()

    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        runner.run(work())
