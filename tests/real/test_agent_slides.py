"""A picture that stands because there is no newer one, and one that froze: told apart, with both players."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import pytest

from tests.support.agent import PATIENT, Agent
from tests.support.clips import Clips
from tests.support.leaks import LeakCheck
from tests.support.looking import last_movement, wait_colour
from tests.support.media_server import MediaServer
from tests.support.pitch import WINDOW_S
from tests.support.screen import Screen
from tests.support.sound import Heard, PulseServer
from tests.support.tools import LOOK_SELDOM_S, wait_until
from tests.support.xserver import XServer

STALL_TIMEOUT_S = 2.0
NOTICED_S = STALL_TIMEOUT_S + 1.0
BUSY_S = 1.0
"""The tolerance for a machine on which other tests run."""
MUSIC, MUSIC_S = 660, 4.0
SOON_S = 10.0


@pytest.fixture(scope="module")
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def shared(engine: str, xserver: XServer, pulse: PulseServer, leaks: LeakCheck) -> Iterator[Agent]:
    settings = PATIENT | {"player__engines": json.dumps({"http": engine}), "player__stall_timeout": STALL_TIMEOUT_S}
    with Agent(xserver.display, env=pulse.env, **settings) as agent:
        leaks.own_pids(lambda: agent.pids)
        yield agent


@pytest.mark.parametrize(("engine", "muted"), [("vlc", False), ("mpv", True)], indirect=["engine"])
def test_slides_play_and_a_frozen_film_does_not(
    agent: Agent, xserver: XServer, media_server: MediaServer, clips: Clips, muted: bool
) -> None:
    """A slide stands for twice the stall_timeout, also without a sound, and nothing is opened anew; a film whose source
    stops in the middle is noticed in time."""
    with Screen(xserver.display) as screen:
        agent.start(media_server.file_url(clips.slides_mp4()), muted=muted)
        wait_colour(screen, "magenta")
        agent.wait_state("playing", timeout_s=3)
        until = time.monotonic() + 2.5 * STALL_TIMEOUT_S
        while time.monotonic() < until:
            stream = agent.status()["stream"]
            assert (stream["state"], stream["attempt"]) == ("playing", 1)
            time.sleep(LOOK_SELDOM_S)
        film = clips.film_mp4("green", 60, 880)
        url = f"{media_server.file_url(film)}?then=hold&after_bytes={film.stat().st_size // 10}"
        session = agent.start(url, muted=muted)["session_id"]
        still_since = last_movement(screen, still_for_s=1.0, timeout_s=20)

        def noticed() -> list[str]:
            return [line["code"] for line in agent.log("stream_retried") if line["session_id"] == session]

        agent.wait_until(noticed, 10, "it is noticed")
        assert time.monotonic() - still_since < NOTICED_S + BUSY_S
        assert noticed()[0] == "media_stalled"


@pytest.mark.parametrize(
    ("engine", "kind", "plays"),
    [("vlc", "mkv", "vlc"), ("vlc", "mp4", "mpv"), ("mpv", "mp4", "mpv")],
    indirect=["engine"],
)
def test_one_picture_and_music_play_to_the_end_of_the_music(
    agent: Agent, xserver: XServer, media_server: MediaServer, pulse: PulseServer, clips: Clips, kind: str, plays: str
) -> None:
    """The picture stands, all of the music is heard, it is `playing` for as long, and then it has finished. Nothing is
    heard before it is seen."""
    with Screen(xserver.display) as screen, pulse.listen() as listener:
        began = time.monotonic()
        session = agent.start(media_server.file_url(clips.one_picture(kind)))["session_id"]
        assert screen.colour_at_centre() == "magenta"
        first = agent.wait_state("playing", timeout_s=3)
        assert (first["engine"], first["media_type"]) == (plays, "video")
        seen = screen.colour_at_centre()
        while (stream := agent.status()["stream"]) and stream["position"] < MUSIC_S - 0.5:
            assert (stream["state"], stream["attempt"]) == ("playing", first["attempt"])
            assert seen == "magenta"
            time.sleep(LOOK_SELDOM_S)
            seen = screen.colour_at_centre()  # before the answer that says that it was still on
        assert agent.wait_ended(session)["reason"] == "finished"
        heard = listener.heard()
    assert seconds_of_music(heard) == pytest.approx(MUSIC_S, abs=0.4)
    shown_at = began + first["time_to_first_frame"]
    assert next(w.at for w in heard.windows() if MUSIC in w.heard) > shown_at - 2 * WINDOW_S


@pytest.mark.parametrize(("engine", "kind"), [("vlc", "mkv"), ("vlc", "mp4")], indirect=["engine"])
def test_one_picture_and_music_begin_again_and_come_back(
    agent: Agent, xserver: XServer, media_server: MediaServer, pulse: PulseServer, clips: Clips, kind: str
) -> None:
    """With `loop` the music begins again; after an interruption it goes on where it was, behind its picture."""
    with Screen(xserver.display) as screen, pulse.listen() as listener:
        session = agent.start(media_server.file_url(clips.one_picture(kind)), loop=True)["session_id"]
        wait_until(
            lambda: seconds_of_music(listener.heard()) > MUSIC_S + 0.5, timeout_s=3 * MUSIC_S, what="the second time"
        )
        agent.wait_until(lambda: 1.0 < (agent.status()["stream"]["position"] or 0) < 2.0, 2 * MUSIC_S, "its middle")
        agent.start(media_server.file_url(clips.film_mp4("green", 1, 880)), interrupt=True)
        [waiting] = agent.status()["interrupted"]
        before = waiting["position"]
        assert before > 1.0
        wait_colour(screen, "magenta", timeout_s=SOON_S)
        heard_s = seconds_of_music(listener.heard())
        agent.wait_until(
            lambda: (s := agent.status()["stream"])["session_id"] == session and s["state"] == "playing", SOON_S, "back"
        )
        assert agent.status()["stream"]["position"] >= before - 0.5
        assert screen.colour_at_centre() == "magenta"
        wait_until(
            lambda: seconds_of_music(listener.heard()) > heard_s + 0.5, timeout_s=SOON_S, what="the rest of the music"
        )


def seconds_of_music(heard: Heard) -> float:
    return sum(MUSIC in window.heard for window in heard.windows()) * WINDOW_S
