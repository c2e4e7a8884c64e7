"""A video whose file is on the box: its player is prepared while the central API is asked about it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from agent.casting.limits import Limits
from agent.casting.parts import SessionParts
from agent.casting.tracker import StreamTracker
from agent.casting.video_source import CentralVideo
from agent.errors import StreamNotFoundError
from agent.types import SessionState, StartRequest, StreamRef
from tests.support.fakes import FakePlayers, FakeStage, FakeStreams
from tests.support.virtual_time import VirtualTimeLoop

HERE = CentralVideo("http://film/here", "Fire drill", "video/mp4", 1000, "0" * 64)
START = StartRequest(url="", join=StreamRef(video_id="1"))
ANSWERS_S = 0.4
"""The time that the central API takes for an answer; a player takes a fraction of that."""
PREPARED_S = 0.01
"""The time in which what is prepared is shown; to prepare it takes several times that."""


def run(work: Callable[[StreamTracker, FakeStreams], Awaitable[None]]) -> None:
    async def whole() -> None:
        players, central = FakePlayers(), FakeStreams()
        central.kept, central.takes_s = HERE, ANSWERS_S
        central.urls = (HERE.url,)
        parts = SessionParts(players, FakeStage(players), lambda url: url, streams=central)
        tracker = StreamTracker(parts, limits=Limits(start_timeout=10.0, stall_timeout=5.0))
        await work(tracker, central)
        await tracker.close()

    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        runner.run(whole())


def test_it_is_prepared_while_the_central_api_answers() -> None:
    """It is shown with the answer, not some time after it, under the title as the central API has it now."""

    async def work(tracker: StreamTracker, central: FakeStreams) -> None:
        session = tracker.start(START)
        assert not await tracker.located(session, ANSWERS_S / 2)
        assert await tracker.first_frame(session, 0.0) is None
        assert await tracker.located(session, ANSWERS_S)
        shown = await tracker.first_frame(session, PREPARED_S)
        assert shown is not None
        assert shown.title == "A video"
        await asyncio.sleep(5.0)
        stream = tracker.snapshot().stream
        assert stream is not None
        assert (stream.session_state, stream.attempt) == (SessionState.ACTIVE, 1)

    run(work)


def test_it_plays_while_the_central_api_is_away() -> None:
    async def work(tracker: StreamTracker, central: FakeStreams) -> None:
        central.away = True
        session = tracker.start(START)
        assert await tracker.located(session, 2 * ANSWERS_S)
        await asyncio.sleep(5.0)
        stream = tracker.snapshot().stream
        assert stream is not None
        assert (stream.session_state, stream.attempt) == (SessionState.ACTIVE, 1)

    run(work)


def test_nothing_makes_way_for_one_that_was_deleted() -> None:
    """However late the answer comes, compared with the player."""

    async def work(tracker: StreamTracker, central: FakeStreams) -> None:
        film = tracker.start(StartRequest(url="http://film/"))
        assert await tracker.first_frame(film, 1.0) is not None
        central.urls = ()
        session = tracker.start(START)
        with pytest.raises(StreamNotFoundError):
            await tracker.first_frame(session, 2 * ANSWERS_S)
        stream = tracker.snapshot().stream
        assert stream is not None
        assert (stream.session_id, stream.session_state) == (film, SessionState.ACTIVE)

    run(work)
