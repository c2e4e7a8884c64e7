"""The bench does what it says."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import itertools
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from array import array
from math import pi, sin
from pathlib import Path
from typing import Any

import pytest
import xcffib
import xcffib.xproto

from tests.support.behaviour import Behaviour, Then
from tests.support.clips import Clips
from tests.support.leaks import LeakCheck, no_tasks_left
from tests.support.media_server import MediaServer
from tests.support.pitch import RATE, pitches
from tests.support.recorder import ScreenRecorder
from tests.support.screen import Screen, answers, colour_at_centre, grab
from tests.support.sockets import UNRESOLVABLE_HOST, UdpSender, free_udp_port, refused_port, silent_port
from tests.support.sound import PulseServer
from tests.support.tools import run, wait_until
from tests.support.ts import FPS, PACKET
from tests.support.xserver import XServer

connect: Any = xcffib.connect  # xcffib has no types


def get(url: str, *, headers: dict[str, str] | None = None, timeout_s: float = 5.0) -> tuple[int, bytes]:
    request = urllib.request.Request(url, headers=headers or {})
    try:
        with urllib.request.urlopen(request, timeout=timeout_s) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as answer:
        with answer:
            return answer.code, answer.read()


def test_clips_are_made_once(clips: Clips) -> None:
    """A second request for a clip finds the first one's file, and another recipe gets another file."""
    film = clips.film_mp4()
    changed = film.stat().st_mtime_ns
    assert clips.film_mp4() == film
    assert film.stat().st_mtime_ns == changed
    assert clips.film_mp4("green", 10, 880) != film


def test_long_films_cost_nothing(clips: Clips) -> None:
    """A film of minutes is a short one repeated, as long as it says."""
    film = clips.film_mp4("red", 120)
    told = run(
        ["ffprobe", "-v", "error", "-show_entries", "format=duration", "-of", "csv=p=0", str(film)], timeout_s=10
    )
    assert float(told) == pytest.approx(120, abs=0.2)


@pytest.mark.parametrize(
    ("path", "status", "begins"),
    [
        ("/film.mp4", 200, b"\0\0\0"),
        ("/film/blue.mp4", 200, b"\0\0\0"),
        ("/film/no-colour.mp4", 404, b""),
        ("/image.png", 200, b"\x89PNG"),
        ("/image.jpeg", 200, b"\xff\xd8"),
        ("/image.webp", 200, b"RIFF"),
        ("/tone.ogg", 200, b"OggS"),
        ("/covered.mp3", 200, b"ID3"),
        ("/page.html", 200, b"<!doctype html>"),
        ("/list.m3u", 200, b"#EXTM3U"),
        ("/live-hls/index.m3u8", 200, b"#EXTM3U"),
        ("/live-hls/seg1.ts", 200, b"G"),
        ("/live-hls/seg99999.ts", 404, b""),
        ("/hls-missing/index.m3u8", 200, b"#EXTM3U"),
        ("/hls-missing/seg1.ts", 404, b""),
        ("/redirect?to=/page.html", 200, b"<!doctype html>"),
        ("/status/401", 401, b""),
        ("/status/503", 503, b""),
        ("/basic-auth/film.mp4", 401, b""),
        ("/radio.mp3?then=end&after_bytes=4000", 200, b"\xff"),
        ("/mjpeg?then=end&after_bytes=3000", 200, b"--frame"),
        ("/media/../conftest.py", 404, b""),
    ],
)
def test_each_endpoint_answers_what_it_says(media_server: MediaServer, path: str, status: int, begins: bytes) -> None:
    """Status and first bytes are those of what the path names."""
    answered, body = get(media_server.url(path))
    assert answered == status
    assert body.startswith(begins)


def test_variants_and_dash_are_whole(media_server: MediaServer, clips: Clips) -> None:
    """All files that the master playlist and the manifest name can be fetched."""
    _, master = get(media_server.file_url(clips.hls_variants()))
    heights = [line.split("/")[0] for line in master.decode().splitlines() if not line.startswith("#")]
    assert heights == ["360p", "720p", "1080p"]
    for height in heights:
        folder = clips.hls_variants().parent / height
        assert get(media_server.file_url(folder / "index.m3u8"))[0] == 200
        assert get(media_server.file_url(folder / "seg0.ts"))[1][:1] == b"G"
    assert b"<MPD" in get(media_server.file_url(clips.dash()))[1]


def test_ranges_passwords_and_cookies(media_server: MediaServer, clips: Clips) -> None:
    """A part of a film comes to whoever has the password, and all of it to whoever brings the cookie along."""
    headers = {"Authorization": "Basic dXNlcjpwYXNz", "Range": "bytes=10-19"}
    assert get(media_server.url("/basic-auth/film.mp4"), headers=headers) == (206, clips.film_mp4().read_bytes()[10:20])
    cookie = {"Cookie": "ticket=punched"}
    inside = media_server.url("/cookie/inside.mp4")
    assert get(media_server.url("/cookie/film.mp4"))[0] == 403  # this client keeps no cookies
    assert len(get(inside, headers=cookie)[1]) == clips.film_mp4().stat().st_size


def test_requests_are_recorded(media_server: MediaServer) -> None:
    """Each request is known with its headers, its status and the bytes that it got."""
    _, body = get(media_server.url("/film.mp4"), headers={"User-Agent": "bench"})
    record = media_server.wait_request("/film.mp4", timeout_s=1)
    wait_until(lambda: record.sent == len(body), timeout_s=1, what="the last bytes to be counted")
    assert (record.status, record.headers["user-agent"]) == (200, "bench")


def test_a_live_stream_comes_in_real_time_and_without_a_seam(media_server: MediaServer, tmp_path: Path) -> None:
    """One second of live stream takes one second, and the timestamps go on over the end of the clip."""
    began = time.monotonic()
    _, body = get(media_server.url("/live.ts?then=end&after=1"))
    assert 0.9 < time.monotonic() - began < 1.6
    assert len(body) % PACKET == 0

    stream = media_server.routes.stream()
    file = tmp_path / "seam.ts"
    file.write_bytes(b"".join(stream.second(second) for second in range(10, 14)))
    show = ["-select_streams", "v", "-show_entries", "packet=pts_time", "-of", "csv=p=0"]
    shown = run(["ffprobe", "-v", "error", *show, str(file)], timeout_s=10)
    times = [float(line.strip(",")) for line in shown.split()]
    assert len(times) == 4 * FPS
    steps = [later - sooner for sooner, later in itertools.pairwise(times)]
    assert steps == pytest.approx([1 / FPS] * len(steps), abs=0.001)


def test_streams_break_as_they_are_told(media_server: MediaServer) -> None:
    """Cut and reset are seen by the client; what is held or trickles stays open and brings next to nothing."""
    with pytest.raises(http.client.IncompleteRead):
        get(media_server.url("/cut.mp4"))
    with pytest.raises(ConnectionResetError):
        get(media_server.url("/live.ts?then=reset&after=0.3"))
    with pytest.raises(http.client.IncompleteRead):
        get(media_server.url("/live.ts?then=close&after=0.3"))
    for path, least, most in (("/stall.mp4", 60_000, 100_000), ("/trickle-hls/seg1.ts", 1, 10)):
        with urllib.request.urlopen(media_server.url(path), timeout=5) as answer:
            answer.read(least)
            time.sleep(0.3)  # time enough to send all of it
            [record] = media_server.requests(path)
            assert least <= record.sent <= most
            assert record.finished_at is None


def test_a_running_stream_obeys_the_test(media_server: MediaServer) -> None:
    """A body that is being sent stops when the test wants it, goes on when it is mended, and fails afterwards if told
    so."""
    with urllib.request.urlopen(media_server.url("/live/green.ts"), timeout=5) as stream:
        stream.read(PACKET)
        record = media_server.wait_request("/live/green.ts", timeout_s=1)
        media_server.behave("/live/", Behaviour(then=Then.HOLD))
        time.sleep(0.1)  # a picture may be on its way
        held = record.sent
        time.sleep(0.3)  # seven more would be
        assert record.sent == held
        media_server.behave("/live/", Behaviour())
        stream.read(held + PACKET)
    media_server.behave("/live/", Behaviour(status=404))
    assert get(media_server.url("/live/green.ts"))[0] == 404
    media_server.routes.end_live_hls()
    assert b"#EXT-X-ENDLIST" in get(media_server.url("/live-hls/index.m3u8"))[1]
    media_server.reset()
    assert b"#EXT-X-ENDLIST" not in get(media_server.url("/live-hls/index.m3u8"))[1]


async def test_a_silent_server_is_silent(media_server: MediaServer) -> None:
    """A request for /never is taken and not answered."""
    reader, writer = await asyncio.open_connection("127.0.0.1", media_server.port)
    writer.write(b"GET /never HTTP/1.1\r\nHost: x\r\n\r\n")
    await media_server.request_seen("/never", timeout_s=2)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(reader.read(1), 0.2)
    writer.close()
    await writer.wait_closed()


def test_bad_addresses_are_bad() -> None:
    """One port refuses, one says nothing, and one name does not exist."""
    with refused_port() as port, pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), 1)
    with silent_port() as port, socket.create_connection(("127.0.0.1", port), 1) as connection:
        connection.settimeout(0.1)
        with pytest.raises(TimeoutError):
            connection.recv(1)
    with pytest.raises(socket.gaierror):
        socket.getaddrinfo(UNRESOLVABLE_HOST, 80)


def test_the_udp_sender_sends_until_it_is_paused(media_server: MediaServer) -> None:
    """Datagrams of whole packets arrive, and stop at once when the sender is paused."""
    port = free_udp_port()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", port))
        receiver.settimeout(1.0)
        with UdpSender(media_server.routes.stream(), port) as sender:
            data = receiver.recv(2000)
            assert data[0] == 0x47
            assert len(data) % PACKET == 0
            sender.pause()
            receiver.settimeout(0.2)
            with contextlib.suppress(TimeoutError):
                for _ in range(20):
                    receiver.recv(2000)
            with pytest.raises(TimeoutError):
                receiver.recv(2000)


def paint(connection: Any, colour: int) -> None:
    """Cover the middle of the screen with a window of one colour."""
    root = connection.get_setup().roots[0]
    window = connection.generate_id()
    mask = xcffib.xproto.CW.BackPixel | xcffib.xproto.CW.OverrideRedirect
    connection.core.CreateWindow(24, window, root.root, 160, 90, 320, 180, 0, 1, root.root_visual, mask, [colour, 1])
    connection.core.MapWindow(window, is_checked=True).check()


def test_the_screen_is_seen_from_outside(xserver: XServer) -> None:
    """A window of another client is seen in its colour at its place."""
    connection = connect(xserver.display)
    try:
        paint(connection, 0xFF8000)
        assert colour_at_centre(xserver.display) == "orange"
        picture = grab(xserver.display)
        assert picture.size == (640, 360)
        assert picture.getpixel((170, 100)) == (255, 128, 0)
        assert picture.getpixel((10, 10)) == (0, 0, 0)
    finally:
        connection.disconnect()


def test_the_recorder_sees_short_flashes(xserver: XServer) -> None:
    """Runs of colours are reported with their times, looked at more than 200 times a second."""
    connection = connect(xserver.display)
    try:
        with ScreenRecorder(xserver.display) as recorder:
            painted_at = []
            for colour in (0xFF0000, 0x000000, 0x00FF00):
                paint(connection, colour)
                painted_at.append(time.monotonic())
                time.sleep(0.3 if colour else 0.04)  # black for one picture
            recording = recorder.stop()
    finally:
        connection.disconnect()
    assert recording.colours() == ["black", "red", "black", "green"]
    for seen, (since, until) in zip(recording.runs()[1:3], itertools.pairwise(painted_at), strict=True):
        assert seen.seconds == pytest.approx(until - since, abs=0.03)
    assert recording.rate_hz > 200
    assert [still.colour for still in recording.stills(0.5)] == ["black"]


def test_the_x_server_comes_back_under_its_number(xserver: XServer) -> None:
    """Killed, frozen or resized, it says so, and it comes back where it was."""
    before = xserver.display
    with Screen(xserver.display) as screen:
        xserver.restart()
        with pytest.raises(ConnectionError):
            screen.size()
    assert xserver.display == before
    xserver.pause()
    assert not answers(xserver.display, timeout_s=0.2)
    xserver.resume()
    with Screen(xserver.display) as screen:
        assert screen.size() == (640, 360)
        xserver.resize(1280, 720)
        assert screen.size() == (1280, 720)
        xserver.resize(640, 360)
    xserver.terminate()
    assert not answers(xserver.display)
    xserver.start()
    assert answers(before)


def test_pitches_are_told_apart() -> None:
    """Each window names the tones that it holds, and silence is silence."""
    one = [0.5 * sin(2 * pi * 440 * i / RATE) for i in range(RATE // 5)]
    two = [sample / 2 + 0.25 * sin(2 * pi * 880 * i / RATE) for i, sample in enumerate(one)]
    samples = array("h", [int(sample * 32767) for sample in [*one, *two, *[0.0] * (RATE // 5)]])
    windows = pitches(samples, RATE)
    assert [set(window.heard) for window in windows] == [{440}] * 4 + [{440, 880}] * 4 + [set()] * 4
    assert windows[0].levels[440] == pytest.approx(0.5, abs=0.01)
    assert windows[-1].silent


def test_the_loudspeaker_is_heard(pulse: PulseServer) -> None:
    """A tone that a program plays is heard by its pitch, and the program is seen to hold the loudspeaker."""
    tone = array("h", [int(16000 * sin(2 * pi * 440 * i / 48000)) for i in range(48000)])
    play = ["pacat", "--raw", "--format=s16le", "--rate=48000", "--channels=1", "--latency-msec=50"]
    assert pulse.record(0.2).heard() == set()
    with pulse.watch() as watch, pulse.listen() as listener:
        player = subprocess.Popen(play, stdin=subprocess.PIPE, env={**os.environ, **pulse.env})
        assert player.stdin is not None
        player.stdin.write(tone.tobytes())
        [playing] = pulse.sink_inputs()
        player.stdin.close()
        assert player.wait(5) == 0
        heard = listener.heard()
    assert (playing.pid, playing.muted, playing.volume) == (player.pid, False, 1.0)
    assert heard.heard() == {440}
    assert sum(440 in window.heard for window in heard.windows()) == pytest.approx(20, abs=4)
    assert watch.most_at_once() == 1


def test_a_missing_program_is_named_with_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without Xvfb the error says what to install."""
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(Exception, match="apt-get install xvfb"), XServer():
        pass


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.support.leaks.SETTLE_S", 0.2)


@pytest.mark.usefixtures("impatient")
def test_left_processes_and_descriptors_are_found(leaks: LeakCheck) -> None:
    """A child, an orphaned grandchild and an open socket each fail the test that leaves them."""
    with pytest.raises(AssertionError, match="sleep 77"), leaks.watching():
        child = subprocess.Popen(["sleep", "77"])
    child.kill()
    child.wait()

    orphan = "import subprocess; print(subprocess.Popen(['sleep', '78'], stdout=subprocess.DEVNULL).pid)"
    with pytest.raises(AssertionError, match="sleep 78"), leaks.watching():
        pid = int(subprocess.run([sys.executable, "-c", orphan], stdout=subprocess.PIPE, check=True).stdout)
    os.kill(pid, 9)

    left = socket.socket()
    left.close()
    with pytest.raises(AssertionError, match=r"socket:\["), leaks.watching():
        left = socket.socket()
    left.close()


@pytest.mark.usefixtures("impatient")
async def test_left_tasks_are_found() -> None:
    """A task that still waits at the end is named."""
    with pytest.raises(AssertionError, match="forgotten"):
        async with no_tasks_left():
            task = asyncio.create_task(asyncio.Event().wait(), name="forgotten")
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
