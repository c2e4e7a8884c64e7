"""Live streams over HTTP that presets keep ready: MPEG-TS and HLS, seen at once, asked once, and live."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from urllib.parse import quote

import av
import pytest

from agent.player.camera.messages import CameraReport
from tests.support.agent import PREFERRED, Agent
from tests.support.behaviour import Behaviour, Then
from tests.support.clips import Clips
from tests.support.leaks import LeakCheck
from tests.support.looking import wait_colour, wait_moves
from tests.support.media_server import MediaServer
from tests.support.ready import (
    camera_worker,
    presets,
    start_preset,
    wait_after_key_frame,
    wait_ready,
    wait_url,
)
from tests.support.screen import Screen
from tests.support.sparse_live import KEY_EVERY_S
from tests.support.tls import TlsFront, make_certificate, python_that_trusts
from tests.support.ts import FPS
from tests.support.xserver import XServer

TS, HLS = "/sparse/red.ts", "/sparse/red/index.m3u8"
TWO_RENDITIONS = "/sparse/master.m3u8"
WATCHED_S = 3 * KEY_EVERY_S
FRESH_TS_S = 0.75 * KEY_EVERY_S
"""Usually 0.1 s; what waited for a key frame would come later than this."""
FRESH_HLS_S = 2.5 * KEY_EVERY_S
"""One piece, half of one until it is asked for again, and some; three pieces are what players keep."""


@pytest.fixture(scope="module")
def shared(xserver: XServer, media_server: MediaServer, leaks: LeakCheck) -> Iterator[Agent]:
    config = presets(media_server.url(TS))
    with Agent(xserver.display, config=config, audio__output="none", prefix=PREFERRED) as agent:
        leaks.own_pids(lambda: agent.pids)
        yield agent


def problem_of(next_reports: Callable[[], tuple[CameraReport, ...]]) -> str:
    """What is said of the only camera, once something is."""
    while True:
        for report in next_reports():
            if report.problem:
                assert not report.ready
                return report.problem


def behind(seconds: float) -> float:
    """How far a picture of the sparse streams, by its time, is behind what is recorded now."""
    wrap = (1 << 33) / 90_000
    return (time.monotonic() - seconds) % wrap


def test_a_start_does_not_wait_for_the_next_key_frame(agent: Agent, screen: Screen, media_server: MediaServer) -> None:
    """Of the preset, and of its address while that is on; the server is asked once for all of it."""
    assert wait_ready(agent)["size"] > 0
    asked = len(media_server.requests(TS))
    agent.start(media_server.url("/live/blue.ts"))
    for start in (start_preset, lambda agent, **fields: agent.start(media_server.url(TS), **fields)):
        next_key = wait_after_key_frame(KEY_EVERY_S)
        session = start(agent, interrupt=True)["session_id"]
        assert screen.colour_at_centre() == "red"
        assert time.monotonic() < next_key
        assert agent.status()["stream"]["engine"] == "mpv"
        wait_moves(screen, "red")
        agent.wait_until(lambda: agent.health()["cameras"][0]["viewers"] == 1, 5, "the viewer")
        agent.stop(session_id=session)
        wait_colour(screen, "blue")
    assert len(media_server.requests(TS)) == asked


def test_hls_is_seen_at_once_and_asked_once(xserver: XServer, screen: Screen, media_server: MediaServer) -> None:
    """Two starts of it, one after the other: each piece is fetched once."""
    media_server.reset()
    with Agent(xserver.display, config=presets(media_server.url(HLS)), audio__output="none") as agent:
        wait_ready(agent)
        for _ in range(2):
            start_preset(agent)
            assert screen.colour_at_centre() == "red"
            wait_moves(screen, "red")
            agent.stop()
        pieces = [record.path for record in media_server.requests("/sparse/red/seg")]
    assert pieces
    assert len(pieces) == len(set(pieces))


@pytest.mark.parametrize(("path", "within_s"), [(TS, FRESH_TS_S), (HLS, FRESH_HLS_S)])
def test_what_a_viewer_gets_is_live_and_stays_so(media_server: MediaServer, path: str, within_s: float) -> None:
    """All since the last key frame at once, then picture by picture as they were recorded, over some pieces."""
    with camera_worker({"tv": media_server.url(path)}) as next_reports:
        url = wait_url(next_reports)
        time.sleep(2 * KEY_EVERY_S)  # the pace of HLS is known after some pieces
        came: list[tuple[float, float]] = []
        with av.open(url, format="nut") as got:
            for packet in got.demux(video=0):
                assert packet.pts is not None
                assert came or packet.is_keyframe
                came.append((behind(float(packet.pts * packet.time_base)), float(packet.pts * packet.time_base)))
                if len(came) > 1 and came[-1][1] - came[0][1] > WATCHED_S:
                    break
        sizes = [report.size for report in next_reports()]
    backlog = next(n for n, (before, after) in enumerate(pairwise(came)) if after[1] - before[1] > 0.5 / FPS)
    live = [late for late, _ in came[backlog + 1 :]]
    assert len(live) > 0.8 * WATCHED_S * FPS
    assert max(live) < within_s
    assert live[-1] < live[0] + 1.0
    assert 0 < sizes[0] < 1_000_000  # pictures of 4 s are some 40 KB


def test_one_rendition_is_fetched(media_server: MediaServer) -> None:
    """The best one, and that one alone once it is known."""
    with camera_worker({"tv": media_server.url(TWO_RENDITIONS)}) as next_reports:
        wait_url(next_reports)
        media_server.wait_request("/sparse/red/seg", timeout_s=3 * KEY_EVERY_S, count=2)
        worse = len(media_server.requests("/sparse/green/seg"))
        media_server.wait_request("/sparse/red/seg", timeout_s=3 * KEY_EVERY_S, count=4)
        assert len(media_server.requests("/sparse/green/seg")) == worse
        [report] = next_reports()
    assert report.chosen_lines == 360


@pytest.mark.parametrize("path", ["/film/red.mp4", "film.ts", "hls", "/spoken/chunked"])
def test_a_film_is_not_live(media_server: MediaServer, clips: Clips, path: str) -> None:
    """With a length, as a playlist that has an end, and without any of these: it comes faster than it is seen."""
    match path:
        case "film.ts":
            url = media_server.file_url(clips.film_ts())
        case "hls":
            url = media_server.file_url(clips.hls())
        case "/spoken/chunked":
            url = media_server.url(f"{path}/{clips.film_ts('red', 40).name}")
        case _:
            url = media_server.url(path)
    with camera_worker({"film": url}) as next_reports:
        assert problem_of(next_reports) == "What is sent there is not live: leave keep_ready out of the preset."


def test_a_film_is_shown_all_the_same(xserver: XServer, screen: Screen, media_server: MediaServer) -> None:
    config = presets(media_server.url("/film/red.mp4"))
    with Agent(xserver.display, config=config, audio__output="none") as agent:
        agent.wait_until(lambda: agent.health()["cameras"][0]["problem"], 10, "what is wrong")
        assert "leave keep_ready out" in agent.health()["cameras"][0]["problem"]
        start_preset(agent)
        wait_moves(screen, "red")
        assert agent.status()["stream"]["engine"] == "vlc"


def test_a_server_that_is_away_is_left_in_peace(agent: Agent, screen: Screen, media_server: MediaServer) -> None:
    """While it is shown: the session goes on with the server itself. It is asked again after 15 s for what is kept
    ready."""
    wait_ready(agent)
    session = start_preset(agent)["session_id"]
    agent.wait_until(lambda: agent.health()["cameras"][0]["viewers"] == 1, 5, "the viewer")
    media_server.behave(TS, Behaviour(then=Then.RESET))
    assert wait_ready(agent, ready=False)["problem"]
    agent.stop(session_id=session)
    before = len(media_server.requests(TS))
    media_server.behave(TS, Behaviour())
    assert wait_ready(agent)["problem"] is None
    assert len(media_server.requests(TS)) == before + 1


def test_a_playlist_leads_to_no_file(media_server: MediaServer, clips: Clips) -> None:
    """Of this machine, although it could be shown."""
    piece = clips.film_ts().as_uri()
    text = f"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:1\n#EXTINF:2.0,\n{piece}\n"
    with camera_worker({"tv": media_server.url(f"/text/live.m3u8?text={quote(text)}")}) as next_reports:
        assert "another kind of address (file)" in problem_of(next_reports)


def test_certificates_and_passwords(
    xserver: XServer, media_server: MediaServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A certificate that nobody trusts is refused for a playlist and for what it leads to."""
    certificate = make_certificate(tmp_path)
    with TlsFront(certificate, before=media_server.port) as front:
        secure = f"https://localhost:{front.port}"
        pieces = f"{secure}/live-hls/seg0.ts"
        text = f"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:1\n#EXTINF:2.0,\n{pieces}\n"
        for url in (f"{secure}{TS}", f"{secure}{HLS}", media_server.url(f"/text/live.m3u8?text={quote(text)}")):
            with camera_worker({"tv": url}) as next_reports:
                assert "certificate" in problem_of(next_reports)
        assert media_server.requests("/live-hls/seg") == []
        monkeypatch.setattr(sys, "executable", python_that_trusts(certificate, tmp_path))
        with Agent(xserver.display, config=presets(f"{secure}{HLS}"), audio__output="none") as agent:
            wait_ready(agent)
