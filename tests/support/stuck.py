"""Sources on which a player hangs."""

from __future__ import annotations

from tests.support.agent import Agent
from tests.support.behaviour import Behaviour, Then
from tests.support.media_server import MediaServer


def start_stuck_hls(agent: Agent, media_server: MediaServer) -> None:
    """It plays, and is in the middle of a segment that comes with a few bytes a second."""
    agent.start(media_server.url("/live-hls/index.m3u8"))
    media_server.behave("/live-hls/seg", Behaviour(then=Then.TRICKLE))
    # A good segment is sent within milliseconds; one that is still being sent trickles.
    agent.wait_until(
        lambda: any(segment.finished_at is None for segment in media_server.requests("/live-hls/seg")),
        10,
        "a segment trickles",
    )
