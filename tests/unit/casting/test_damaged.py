"""A recording that one engine cannot play beyond some place."""

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
"""The time for all tries with both engines, in virtual time."""


@pytest.mark.parametrize(
    ("host", "reason", "engines"),
    [("damaged", "finished", ["fake"] * 3 + ["other"]), ("breaks", "failed", ["fake"] * 3)],
)
def test_another_engine_goes_on_behind_a_missing_piece(host: str, reason: str, engines: list[str]) -> None:
    """The other engine plays after three tries. A stream that broke off at the same place each time is over: nobody has
    the rest."""

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
        assert [player.engine for player in players.players if player.url] == engines
        await tracker.close()

    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        runner.run(work())
