"""The media that plays, and the moment at which it is truly `playing`: video, sound alone, still pictures, films that
open in black."""

from __future__ import annotations

import random
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from PIL import Image

from tests.support.agent import Agent
from tests.support.clips import BLACK_START_S, Clips
from tests.support.leaks import LeakCheck
from tests.support.looking import wait_colour, wait_moves
from tests.support.media_server import MediaServer
from tests.support.pitch import WINDOW_S
from tests.support.recorder import ScreenRecorder
from tests.support.screen import Screen
from tests.support.sound import PulseServer
from tests.support.tools import need
from tests.support.xserver import XServer

STILL_S = 12.0
"""libVLC ends a picture by itself after 10 s unless it is told not to."""
SHOWN_WITHIN_S = 1.5
"""Of a film's own time: a film that is shown later than that was not recognised by its first picture."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A media folder."""
    return tmp_path_factory.mktemp("media")


@pytest.fixture(scope="module")
def shared(xserver: XServer, pulse: PulseServer, folder: Path, leaks: LeakCheck) -> Iterator[Agent]:
    with Agent(
        xserver.display,
        env=pulse.env,
        audio__output="pulse",
        player__stall_timeout=2,
        player__media_folders=[str(folder)],
    ) as agent:
        leaks.own_pids(lambda: agent.pids)
        yield agent


def test_a_live_stream_shows_its_first_frame_long_before_it_plays(
    agent: Agent, screen: Screen, media_server: MediaServer
) -> None:
    """The camera is seen within a second; it is `buffering` until the picture moves, and only then `playing`."""
    agent.wait_for_spare()
    answer = agent.start(media_server.url("/live/green.ts"))
    shown = time.monotonic()
    assert answer["time_to_first_frame"] < 1.0
    assert screen.colour_at_centre() == "green"
    stream = agent.status()["stream"]
    assert (stream["state"], stream["session_state"]) == ("buffering", "active")
    stream = agent.wait_state("playing")
    assert time.monotonic() - shown > 0.4
    wait_moves(screen, "green")
    assert (stream["media_type"], stream["stream_type"]) == ("video", "live")
    assert (stream["position"], stream["duration"]) == (None, None)


def test_a_film_tells_how_far_it_is(agent: Agent, screen: Screen, media_server: MediaServer) -> None:
    """Position and displayed frames grow; the length is the film's."""
    agent.start(media_server.url("/film/red.mp4"))
    first = agent.wait_state("playing")
    agent.wait_until(
        lambda: agent.status()["stream"]["position"] >= first["position"] + 0.5, 5, "the position has grown"
    )
    later = agent.status()["stream"]
    assert later["frames_displayed"] > first["frames_displayed"]
    assert (later["media_type"], later["stream_type"]) == ("video", "buffered")
    assert later["duration"] == pytest.approx(10, abs=0.2)
    wait_moves(screen, "red")


def test_a_live_playlist_is_live_and_a_recorded_one_is_not(
    agent: Agent, screen: Screen, media_server: MediaServer, clips: Clips
) -> None:
    """libVLC gives both a length and says that it could seek in both; only the recording may be sought in."""
    agent.start(media_server.url("/live-hls/index.m3u8"))
    assert agent.status()["stream"]["stream_type"] == "live"
    agent.wait_until(lambda: agent.status()["stream"]["frames_displayed"] > 50, 8, "libVLC has told a length")
    stream = agent.status()["stream"]
    assert (stream["stream_type"], stream["position"], stream["duration"]) == ("live", None, None)
    assert stream["capabilities"]["seek"] == "unsupported"
    wait_moves(screen, "red")
    agent.start(media_server.file_url(clips.hls()))
    assert agent.status()["stream"]["stream_type"] == "buffered"
    agent.wait_until(lambda: agent.status()["stream"]["duration"], 3, "its length is known")
    stream = agent.status()["stream"]
    assert stream["duration"] == pytest.approx(10, abs=0.2)
    assert stream["capabilities"]["seek"] == "available"


@pytest.mark.parametrize(("path", "hz"), [("/tone.mp3", 440), ("/tone.ogg", 660), ("/radio.mp3", 440)])
def test_sound_alone_plays_over_a_black_screen(
    agent: Agent, screen: Screen, media_server: MediaServer, pulse: PulseServer, path: str, hz: int
) -> None:
    """It is heard, the audio buffers that were played make it `playing`, and the screen stays black."""
    with pulse.listen() as listener:
        agent.start(media_server.url(path))
        stream = agent.wait_state("playing")
        # What libVLC counts as played may still be in the buffers of the sound server.
        agent.wait_until(lambda: listener.heard().heard() == {hz}, 2, "it is heard")
    assert stream["media_type"] == "audio"
    assert screen.colour_at_centre() == "black"
    if path == "/radio.mp3":
        assert (stream["stream_type"], stream["position"]) == ("live", None)
    else:
        assert stream["stream_type"] == "buffered"
        agent.wait_until(lambda: agent.status()["stream"]["position"] > stream["position"], 3, "the position has grown")


def test_sound_with_a_cover_picture_plays(agent: Agent, media_server: MediaServer, pulse: PulseServer) -> None:
    """The picture inside an MP3 does not keep it from being heard and being `playing`, past a stall_timeout."""
    agent.start(media_server.url("/covered.mp3"))
    agent.wait_state("playing")
    assert 880 in pulse.record(2.5).windows()[-2].heard
    assert agent.status()["stream"]["state"] == "playing"


def test_a_short_spoken_message_is_heard_whole(agent: Agent, media_server: MediaServer, pulse: PulseServer) -> None:
    """Half a second of sound, all buffered before any of it may be heard, loses neither beginning nor end."""
    assert_heard_whole(agent, pulse, media_server.file_url(media_server.clips.audio_mp3(880, 0.5)), seconds=0.5)


@pytest.mark.parametrize(
    ("engine", "way"), [("vlc", "chunked"), ("vlc", "length"), ("vlc", "until-closed"), ("mpv", "chunked")]
)
def test_a_message_from_a_server_without_ranges_is_heard_whole(
    agent: Agent,
    media_server: MediaServer,
    xserver: XServer,
    pulse: PulseServer,
    clips: Clips,
    engine: str,
    way: str,
) -> None:
    """However the server sends it, such as in chunks (as Home Assistant does), as MP3, WAV and FLAC: what came
    before it had the sound is not lost."""
    with ExitStack() as running:
        if engine != "vlc":
            table = f'{{"http": "{engine}"}}'
            agent = running.enter_context(Agent(xserver.display, env=pulse.env, player__engines=table))
        for kind, seconds in (("mp3", 1.2), ("wav", 2.0), ("mp3", 3.0), ("flac", 1.2)):
            name = clips.spoken(seconds, kind).name
            assert_heard_whole(agent, pulse, media_server.url(f"/spoken/{way}/{name}"), seconds=seconds)


def test_a_message_that_comes_slower_than_it_is_heard_is_heard_whole(
    agent: Agent, media_server: MediaServer, pulse: PulseServer, clips: Clips
) -> None:
    """The rests are heard as they come: libVLC would discard what it had buffered at each of them, and mpv waits."""
    message = clips.spoken(1.2)
    rate = message.stat().st_size / 1.2 * 0.7
    url = media_server.url(f"/spoken/chunked/{message.name}?rate={rate:.0f}")
    assert_heard_whole(agent, pulse, url, seconds=1.2, rests=1.5)


def assert_heard_whole(agent: Agent, pulse: PulseServer, message: str, *, seconds: float, rests: float = 0.0) -> None:
    """It is heard from its beginning to its end, once, and finishes; with so many seconds of `rests` at most."""
    with pulse.listen() as listener:
        session_id = agent.start(message)["session_id"]
        last = agent.wait_ended(session_id, seconds + rests + 5)
        quiet_at = listener.heard().seconds + 0.4
        agent.wait_until(lambda: listener.heard().seconds > quiet_at, 5, "the last buffers have been heard")
        windows = listener.heard().windows()
    heard = [window for window in windows if 880 in window.heard]
    assert len(heard) * WINDOW_S >= seconds - 0.05, f"{message}: {len(heard) * WINDOW_S:.2f} s heard"
    assert heard[-1].at - heard[0].at <= seconds + rests + 0.15, f"{message} broke off in between, or was heard twice"
    assert (last["reason"], last["media_type"]) == ("finished", "audio")


def test_still_pictures_stay_on(media_server: MediaServer, leaks: LeakCheck) -> None:
    """PNG, JPEG and WebP are on the screen and `playing` for longer than libVLC's own limit and any stall_timeout."""
    with ExitStack() as running:
        pairs = []
        for kind in ("png", "jpeg", "webp"):
            xserver = running.enter_context(XServer())
            agent = running.enter_context(Agent(xserver.display, audio__output="none", player__stall_timeout=2))
            screen = running.enter_context(Screen(xserver.display))
            agent.start(media_server.url(f"/image.{kind}"))
            pairs.append((agent, screen))
        until = time.monotonic() + STILL_S
        while time.monotonic() < until:
            for agent, screen in pairs:
                assert screen.colour_at_centre() == "orange"
                stream = agent.status()["stream"]
                assert (stream["media_type"], stream["state"]) == ("image", "playing")
            time.sleep(0.5)  # the end that libVLC would make of it is no flash


def test_a_film_that_opens_in_black(agent: Agent, screen: Screen, xserver: XServer, media_server: MediaServer) -> None:
    """Its first frame, though black, comes in time and takes the screen from what was there; then colour follows."""
    old = agent.start(media_server.url("/film/red.mp4"))["session_id"]
    with ScreenRecorder(xserver.display) as recorder:
        agent.start(media_server.file_url(media_server.clips.black_start_mp4()))
        assert agent.wait_ended(old)["reason"] == "replaced"
        wait_colour(screen, "yellow")
        recording = recorder.stop()
    assert recording.colours() == ["red", "black", "yellow"]
    assert recording.runs()[1].seconds > BLACK_START_S - SHOWN_WITHIN_S
    agent.wait_state("playing")


def test_a_film_that_is_all_black(agent: Agent, screen: Screen, media_server: MediaServer) -> None:
    """It is started, playing and finished like any other."""
    session_id = agent.start(media_server.file_url(media_server.clips.black_mp4(2)))["session_id"]
    assert (agent.status()["stream"]["position"] or 0) < SHOWN_WITHIN_S
    agent.wait_state("playing")
    last = agent.wait_ended(session_id, 8)
    assert (last["reason"], last["error"]) == ("finished", None)


def test_a_film_of_stripes_is_not_taken_for_an_empty_window(agent: Agent, screen: Screen, folder: Path) -> None:
    """Random stripes are what an untouched window is painted with; a film of such stripes still gets the screen."""
    film = _stripes(folder)
    agent.start(film.as_uri())
    assert (agent.status()["stream"]["position"] or 0) < SHOWN_WITHIN_S
    agent.wait_state("playing")
    assert len({screen.pixel(x, 180) for x in range(20, 640, 40)}) > 8


def _stripes(folder: Path) -> Path:
    chance = random.Random(11)
    picture = Image.new("RGB", (640, 360))
    for left in range(0, 640, 40):
        colour = (chance.randint(64, 255), chance.randint(64, 255), chance.randint(64, 255))
        picture.paste(colour, (left, 0, left + 40, 360))
    still, film = folder / "stripes.png", folder / "stripes.mp4"
    picture.save(still)
    command = [need("ffmpeg"), "-nostdin", "-v", "error", "-loop", "1", "-i", str(still), "-t", "4", "-r", "25"]
    subprocess.run([*command, "-c:v", "libx264", "-pix_fmt", "yuv420p", str(film)], check=True, timeout=30)
    return film
