"""A playable video is told with its facts, all others are refused with a sentence; the program that looks at them is
confined."""

from __future__ import annotations

import os
import socket
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import pytest

from cast_util import landlock
from central.core.errors import LibraryUnavailableError
from central.library import confined_child
from central.library.confined import Limits
from central.library.probe import Flaw, Probe
from tests.support.clips import FFMPEG_TIMEOUT_S, Clips
from tests.support.tools import run, wait_until


def png(width: int, height: int) -> bytes:
    """A picture of that size whose rows are missing: what it says of itself costs nothing."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = (chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(bytes(1000))), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def of_ten_years(matroska: bytes) -> bytes:
    """The same film, as it says of itself."""
    at = matroska.index(b"\x44\x89\x88") + 3
    return matroska[:at] + struct.pack(">d", 10 * 365 * 86_400_000.0) + matroska[at + 8 :]


def quarter(film: bytes) -> bytes:
    return film[: len(film) // 4]


async def looked(tmp_path: Path, data: bytes, media_type: str) -> dict[str, object]:
    file = tmp_path / "01a1fd12-eb6c-748a-a719-cf4ecab6bccb"
    file.write_bytes(data)
    return await Probe().look(file, media_type)


async def test_what_boxes_play_is_told_with_its_facts(tmp_path: Path, clips: Clips) -> None:
    """A film, a sound with a cover and a picture."""
    film = await looked(tmp_path, clips.two_tracks("mkv").read_bytes(), "video/x-matroska")
    assert (film["width"], film["height"], film["video_codec"], film["audio_codec"]) == (640, 360, "h264", "aac")
    assert film["duration"] == pytest.approx(8, abs=0.2)
    sound = await looked(tmp_path, clips.covered_mp3().read_bytes(), "audio/mpeg")
    assert (sound["width"], sound["video_codec"], sound["audio_codec"]) == (None, None, "mp3")
    picture = await looked(tmp_path, clips.image("webp").read_bytes(), "image/webp")
    assert (picture["duration"], picture["video_codec"]) == (None, "webp")


async def test_a_recording_whose_end_is_not_found_is_taken(tmp_path: Path, clips: Clips) -> None:
    """Its clock goes on from that of the station, so as many packets as may be are read from its beginning."""
    recording = tmp_path / "recording.ts"
    offset = ("-c", "copy", "-output_ts_offset", "36000")
    run(["ffmpeg", "-i", str(clips.film_mp4(seconds=300)), *offset, str(recording)], timeout_s=FFMPEG_TIMEOUT_S)
    found = await Probe().look(recording, "video/mp2t")
    assert found["duration"] == pytest.approx(300, abs=1)


@pytest.mark.parametrize("script", ["#!/nowhere/sh\n", "#!/bin/sh\nexit 127\n"], ids=["ours", "linker"])
async def test_an_ffprobe_that_does_not_run_is_no_flaw_of_the_file(
    tmp_path: Path, clips: Clips, monkeypatch: pytest.MonkeyPatch, script: str
) -> None:
    """The uploaded video is kept then, and is looked at again."""
    program = tmp_path / "bin" / "ffprobe"
    program.parent.mkdir()
    program.write_text(script)
    program.chmod(0o755)
    film = clips.film_mp4().read_bytes()
    monkeypatch.setenv("PATH", str(program.parent))
    with pytest.raises(LibraryUnavailableError, match="ffprobe cannot be executed"):
        await looked(tmp_path, film, "video/mp4")


async def test_a_check_that_the_system_ends_says_so(
    tmp_path: Path, clips: Clips, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not called no film: another time it may be checked."""
    program = tmp_path / "bin" / "ffprobe"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\nkill -9 $$\n")
    program.chmod(0o755)
    film = clips.film_mp4().read_bytes()
    monkeypatch.setenv("PATH", str(program.parent))
    with pytest.raises(Flaw, match="ended by the system"):
        await looked(tmp_path, film, "video/mp4")


@pytest.mark.parametrize(
    ("data", "media_type", "sentence"),
    [
        (lambda _: b"\0" * 5000, "video/mp4", "no film, sound or picture"),
        (lambda clips: clips.truncated_mp4().read_bytes(), "video/mp4", "cut off"),
        (lambda clips: quarter(clips.two_tracks("mkv").read_bytes()), "video/x-matroska", "8 s long, and ends after"),
        (lambda _: b"#EXTM3U\n#EXTINF:1,\n/etc/passwd\n", "video/mp2t", "a playlist, which names films elsewhere"),
        (lambda _: b"ffconcat version 1.0\nfile /etc/passwd\n", "video/mp4", "a playlist"),
        (lambda clips: clips.magicyuv_avi().read_bytes(), "video/mp4", "is of the format avi. Reserve it as what it"),
        (lambda _: b"YUV4MPEG2 W2 H2 F25:1\nFRAME\n" + bytes(6), "video/mp4", "of the format yuv4mpegpipe, which"),
        (lambda clips: clips.film_mp4().read_bytes(), "video/webm", "reserved as video/webm, and is of the format mov"),
        (lambda clips: clips.film_mp4().read_bytes(), "audio/mp4", "is a film"),
        (lambda _: png(12_000, 12_000), "image/png", "12000 x 12000 pixels, and 100000000 are the most"),
        (lambda _: png(20_000, 10), "image/png", "20000 x 10 pixels, and 100000000 are the most, 16384 on a side"),
        (lambda _: png(2_000_000, 2_000_000), "image/png", "more than can be decoded"),
        (lambda clips: of_ten_years(clips.two_tracks("mkv").read_bytes()), "video/webm", "it is 87600 hours long"),
    ],
    ids=["zeros", "no-index", "cut", "hls", "concat", "avi", "y4m", "type", "sound", "bomb", "wide", "huge", "decade"],
)
async def test_what_no_box_could_play_is_refused_with_a_sentence(
    tmp_path: Path, clips: Clips, data: object, media_type: str, sentence: str
) -> None:
    """Also what would lead to another file, and what would fill the memory."""
    assert callable(data)
    with pytest.raises(Flaw, match=sentence):
        await looked(tmp_path, data(clips), media_type)


def test_what_looks_at_a_file_reaches_nothing_else(tmp_path: Path) -> None:
    """Neither another file nor the network, and it writes to one folder alone; with bounds of memory and of files."""
    if landlock.abi() < 4:
        pytest.skip("Landlock of this kernel does not cut off the network")
    (tmp_path / "film").write_text("a film\n")
    (tmp_path / "secret").write_text("a secret\n")
    (tmp_path / "own").mkdir()
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        script = (
            f"cat {tmp_path}/film; cat {tmp_path}/secret; cat /etc/passwd; ulimit -v; ulimit -f; "
            f"echo x > {tmp_path}/film; echo y > {tmp_path}/own/made; "
            f"exec 3<>/dev/tcp/127.0.0.1/{port} && echo connected"
        )
        limits = Limits(reads=tmp_path / "film", writes=tmp_path / "own", memory=2**30, cpu_s=20, file_size=1024)
        child = [sys.executable, "-I", "-S", confined_child.__file__, str(os.getpid()), limits.as_text()]
        command = [*child, "/bin/bash", "-c", script]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    assert done.stdout.split("\n") == ["a film", str(2**20), "1", ""], done.stderr
    assert (tmp_path / "film").read_text() == "a film\n"
    assert (tmp_path / "own" / "made").read_text() == "y\n"


def test_what_looks_at_a_file_ends_with_who_started_it(tmp_path: Path) -> None:
    """However that ends: a conversion of hours would go on for nobody, beside the one that begins again."""
    (tmp_path / "film").touch()
    told = tmp_path / "told"
    os.mkfifo(told)
    limits = Limits(reads=tmp_path / "film", writes=tmp_path, memory=2**30, cpu_s=20, file_size=1024)
    program = [limits.as_text(), "/bin/bash", "-c", f"echo $$ > {told}; exec sleep 60"]
    child = f"[{sys.executable!r}, '-I', '-S', {confined_child.__file__!r}, str(os.getpid()), *{program!r}]"
    starter = subprocess.Popen([sys.executable, "-c", f"import os, subprocess; subprocess.run({child})"])
    pid = int(told.read_text())
    starter.kill()
    starter.wait()
    wait_until(lambda: not is_running(pid), timeout_s=5, what="the program to end")


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
