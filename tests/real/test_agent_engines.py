"""Media that one engine cannot play is played by another one, with nothing for people to see of it but the picture."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from tests.support.agent import PATIENT, Agent
from tests.support.clips import Clips
from tests.support.looking import wait_colour, wait_moves
from tests.support.media_server import MediaServer
from tests.support.recorder import ScreenRecorder
from tests.support.screen import Screen
from tests.support.xserver import XServer


def test_a_film_that_libvlc_cannot_decode_is_played_by_mpv(
    xserver: XServer, media_server: MediaServer, clips: Clips
) -> None:
    """A film in a codec of mpv's takes the place of another without black; when its player dies it comes back without
    asking libVLC first, and after a crash of the agent it comes back, too."""
    with Agent(xserver.display, audio__output="none", **PATIENT) as agent, Screen(xserver.display) as screen:
        agent.start(media_server.url("/film/red.mp4"))
        assert agent.wait_state("playing")["engine"] == "vlc"
        wait_moves(screen, "red")
        with ScreenRecorder(xserver.display) as recorder:
            film = agent.start(media_server.file_url(clips.magicyuv_avi()), loop=True)["session_id"]
            wait_colour(screen, "green", timeout_s=1)
            assert recorder.stop().colours() == ["red", "green"]
        agent.wait_state("playing")
        stream = agent.status()["stream"]
        assert (stream["engine"], stream["media_type"], stream["state"]) == ("mpv", "video", "playing")
        assert (stream["attempt"], stream["error"]) == (1, None)

        dead = agent.player_pid()
        os.kill(dead, signal.SIGKILL)
        agent.wait_until(lambda: agent.player_pid() != dead, 5, "another player has opened it")
        agent.wait_state("playing")
        assert (agent.status()["stream"]["engine"], screen.colour_at_centre()) == ("mpv", "green")
        assert len(agent.log("engine_changed")) == 1

        agent.kill()
        agent.run()
        wait_colour(screen, "green")
        stream = agent.wait_state("playing")
        assert (stream["session_id"], stream["engine"]) == (film, "mpv")
        agent.stop()
        agent.spare_pid()  # mpv keeps no spare for so rare a guest


def test_what_libvlc_cannot_decode_is_shown_from_a_media_folder(xserver: XServer, clips: Clips) -> None:
    """Pictures, and films in a codec that libVLC does not know, are shown; what libVLC can play stays with it."""
    files = {
        "image": (clips.image("webp"), "orange", "pillow"),
        "video": (clips.magicyuv_avi(), "green", "mpv"),
        "film": (clips.film_mp4("red", 4, None), "red", "vlc"),
    }
    folders = [str(clips.folder)]
    with (
        Agent(xserver.display, audio__output="none", player__media_folders=folders, **PATIENT) as agent,
        Screen(xserver.display) as screen,
    ):
        for kind, (file, colour, engine) in files.items():
            agent.start(Path(file).as_uri())
            assert screen.colour_at_centre() == colour
            stream = agent.status()["stream"]
            assert (stream["engine"], stream["media_type"]) == (engine, kind.replace("film", "video"))
            if kind != "image":
                wait_moves(screen, colour)


def test_live_hls_in_fragmented_mp4_is_played_by_mpv(xserver: XServer, media_server: MediaServer, clips: Clips) -> None:
    """From its first picture on: libVLC would stand still at each segment."""
    clips.hls_fmp4()
    with Agent(xserver.display, audio__output="none", **PATIENT) as agent, Screen(xserver.display) as screen:
        with ScreenRecorder(xserver.display) as recorder:
            agent.start(media_server.url("/live-fmp4/index.m3u8"))
            stream = agent.wait_state("playing")
            time.sleep(6)  # three segments
            assert recorder.stop().colours() == ["black", "blue"]
        assert (stream["engine"], stream["stream_type"], stream["attempt"]) == ("mpv", "live", 1)
        wait_moves(screen, "blue")


def test_libvlc_shows_no_picture_that_misses_what_it_is_made_from(
    xserver: XServer, media_server: MediaServer, clips: Clips, tmp_path: Path
) -> None:
    """At each segment of such a stream libVLC loses its thread and begins again in the middle. The last picture stands
    until the next key frame, instead of a grey one that moves."""
    clips.hls_fmp4()
    without_mpv = {"PATH": str(tmp_path)}
    with Agent(xserver.display, audio__output="none", env=without_mpv, **PATIENT) as agent:
        with ScreenRecorder(xserver.display) as recorder:
            agent.start(media_server.url("/live-fmp4/index.m3u8"))
            stream = agent.wait_state("playing")
            time.sleep(17)  # the first segments are late by less: grey was seen after 12 and 16 s
            assert recorder.stop().colours() == ["black", "blue"]
        assert (stream["engine"], stream["stream_type"]) == ("vlc", "live")


def test_a_stream_that_libvlc_is_silent_on_is_shown_by_mpv_beside_it(
    xserver: XServer, media_server: MediaServer
) -> None:
    """MediaMTX tells the first viewer of a low-latency stream of segments that never were; libVLC waits for them."""
    with Agent(xserver.display, audio__output="none", player__start_timeout=8) as agent, Screen(xserver.display) as s:
        began = time.monotonic()
        agent.start(media_server.url("/gap-hls/index.m3u8"))
        assert time.monotonic() - began < 6, "a quarter of start_timeout, and what mpv takes"
        stream = agent.status()["stream"]
        assert (stream["engine"], stream["attempt"], stream["error"]) == ("mpv", 1, None)
        wait_moves(s, "blue")
        agent.wait_until(lambda: len(agent.children()) == 2, 5, "mpv and the spare are the only players")


def test_a_slow_source_is_shown_by_the_player_that_asked_first(xserver: XServer, media_server: MediaServer) -> None:
    """The picture is as late as if there were no other player: the second one takes nothing from the first."""
    with Agent(xserver.display, audio__output="none", player__start_timeout=8) as agent, Screen(xserver.display) as s:
        agent.start(media_server.url("/live/red.ts?delay=5"))
        stream = agent.status()["stream"]
        assert (stream["engine"], stream["attempt"]) == ("vlc", 1)
        assert stream["time_to_first_frame"] < 6.5
        wait_moves(s, "red")
