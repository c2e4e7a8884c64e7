"""Films whose length is not what they say."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

import pytest

from tests.support.agent import Agent
from tests.support.behaviour import Behaviour
from tests.support.clips import Clips
from tests.support.leaks import LeakCheck
from tests.support.looking import wait_moves
from tests.support.media_server import MediaServer
from tests.support.screen import Screen
from tests.support.xserver import XServer


@pytest.fixture(scope="module")
def shared(xserver: XServer, leaks: LeakCheck, clips: Clips) -> Iterator[Agent]:
    folders = [str(clips.folder)]
    with Agent(xserver.display, audio__output="none", player__media_folders=folders) as agent:
        leaks.own_pids(lambda: agent.pids)
        yield agent


@pytest.mark.parametrize("how", ["ranges", "plain", "file"])
def test_a_film_with_a_late_subtitle_finishes_after_its_last_picture(
    agent: Agent, screen: Screen, media_server: MediaServer, clips: Clips, how: str
) -> None:
    """A film that came completely has ended, whatever length it says; and the stream that it interrupted comes back."""
    film = clips.late_subtitle_mkv()
    urls = {"ranges": media_server.file_url(film), "file": film.as_uri()}
    urls["plain"] = media_server.url(f"/plain/{film.relative_to(clips.folder)}")
    below = agent.start(media_server.url("/live.ts"))["session_id"]
    session_id = agent.start(urls[how], interrupt=True)["session_id"]
    last = agent.wait_ended(session_id, 20)
    assert (last["reason"], last["error"]) == ("finished", None)
    wait_moves(screen, "red", timeout_s=6)
    assert agent.status()["stream"]["session_id"] == below


def test_a_recording_whose_playlist_says_a_longer_time_finishes(
    agent: Agent, media_server: MediaServer, clips: Clips
) -> None:
    """Lengths of pieces are rounded up by some servers, which makes minutes of a film; all pieces came."""
    piece = media_server.file_url(clips.hls().parent / "seg0.ts")
    playlist = f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{piece}\n#EXT-X-ENDLIST\n"
    session_id = agent.start(media_server.url(f"/text/film.m3u8?text={quote(playlist)}"))["session_id"]
    assert agent.wait_ended(session_id, 10)["reason"] == "finished"


def test_a_film_that_ends_at_the_same_place_each_time_is_over(agent: Agent, media_server: MediaServer) -> None:
    """Such a film is opened again, because the network may be back, but not for ever."""
    session_id = agent.start(media_server.url("/cut.mp4"))["session_id"]
    last = agent.wait_ended(session_id, 30)
    assert (last["reason"], last["error"]["code"]) == ("failed", "media_network")
    assert "It ends there each time" in last["error"]["message"]


def test_a_film_whose_server_comes_and_goes_is_waited_for(
    agent: Agent, screen: Screen, media_server: MediaServer
) -> None:
    """A server that is away does not end a film, however often it is asked meanwhile."""
    agent.start(media_server.url("/cut.mp4"))
    agent.wait_until(lambda: agent.status()["stream"]["attempt"] > 1, 10, "it broke off")
    media_server.behave("/cut.mp4", Behaviour(status=503))
    agent.wait_until(lambda: (agent.status()["stream"] or {"attempt": 99})["attempt"] > 5, 20, "it was tried often")
    assert agent.status()["stream"]["state"] == "buffering"
    media_server.reset()
