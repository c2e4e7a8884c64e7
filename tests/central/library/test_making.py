"""Posters and renditions by the real ffmpeg: of a film that no box could play, of one that begins black, of junk."""

from __future__ import annotations

import asyncio
import os
import signal
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from central.library.disk import Disk
from central.library.ffmpeg import QUALITIES, Ffmpeg
from central.library.probe import Flaw, Probe
from central.library.tables import Job, Video
from central.library.thumbnails import COLUMNS, ROWS, as_webvtt, every_s
from central.library.types import JobKind
from central.library.working import Assignment
from tests.central.library.conftest import ServedShelf, Shelf
from tests.central.support.process import CLI
from tests.central.support.service import served
from tests.support.clips import FFMPEG_TIMEOUT_S, Clips
from tests.support.tools import LOOK_EVERY_S, run

MADE_S = 60.0
"""A second of work, on a busy machine."""


async def made(shelf: Shelf, video_id: str, *kinds: str) -> Any:
    """The video once these jobs have ended."""
    async with asyncio.timeout(MADE_S):
        while True:
            jobs = (await shelf.admin("GET", f"/api/v1/jobs?video_id={video_id}"))["items"]
            if all(job["state"] not in ("queued", "running") for job in jobs if job["kind"] in kinds):
                assert {job["kind"]: job["state"] for job in jobs} == dict.fromkeys(kinds, "done"), jobs
                return await shelf.get(video_id)
            await asyncio.sleep(LOOK_EVERY_S)


async def test_a_film_that_no_box_decodes_is_converted(sqlite_url: str, tmp_path: Path, clips: Clips) -> None:
    """By itself: boxes get MP4 as soon as it is there, a smaller one on request, and the original stays."""
    folder = tmp_path / "library"
    async with served(sqlite_url, library={"dir": str(folder)}) as central:
        shelf, box = ServedShelf(central.admin, folder, central), await central.box()
        avi = clips.magicyuv_avi(seconds=0.4).read_bytes()
        video = await shelf.checked(avi, type="video/x-msvideo")
        video_id, source = video["id"], f"/api/v1/videos/{video['id']}/source"
        assert (video["state"], video["video_codec"]) in (("transcoding", "magicyuv"), ("ready", "magicyuv"))
        ready = await made(shelf, video_id, "1080p", "poster", "thumbnails")
        assert (ready["state"], ready["received"], ready["poster"]) == ("ready", len(avi), f"{source[:-6]}poster")
        [rendition] = ready["renditions"]
        assert (rendition["kind"], rendition["width"], rendition["height"]) == ("1080p", 640, 360)
        told = await box("GET", source)
        assert (told["type"], told["size"], told["sha256"]) == ("video/mp4", rendition["size"], rendition["sha256"])
        answer = await box.session.get(told["path"])
        film = tmp_path / "film.mp4"
        film.write_bytes(await answer.read())
        facts = await Probe().look(film, "video/mp4")
        assert (answer.content_type, facts["video_codec"], facts["audio_codec"]) == ("video/mp4", "h264", None)
        assert facts["duration"] == pytest.approx(0.4, abs=0.1)
        forged = told["path"].replace(f"&rendition={told['path'].partition('&rendition=')[2][:36]}", "")
        assert (await central.anybody("GET", forged)).status == 404
        assert (await box("GET", f"{source}?rendition=480p"))["code"] == "wrong_state"
        await shelf.admin("POST", f"{source[:-6]}jobs", {"kind": "480p"})
        assert len((await made(shelf, video_id, "1080p", "poster", "thumbnails", "480p"))["renditions"]) == 2
        small = await box("GET", f"{source}?rendition=480p")
        assert (await central.anybody("HEAD", small["path"])).status == 200
        assert (folder / video_id).read_bytes() == avi


async def test_a_worker_of_its_own_does_the_jobs(sqlite_shelf: ServedShelf, sqlite_url: str, clips: Clips) -> None:
    """On the same database and folder; pictures have an ETag, and SIGTERM ends the worker at once."""
    shelf = sqlite_shelf
    video_id = (await shelf.checked(clips.film_mp4().read_bytes()))["id"]
    environ = {"CAST_CENTRAL_DATABASE__URL": sqlite_url, "CAST_CENTRAL_LIBRARY__DIR": str(shelf.folder)}
    worker = await asyncio.create_subprocess_exec(
        *CLI, "worker", env=os.environ | environ, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        video = await made(shelf, video_id, "poster", "thumbnails")
        for kind, size in (("poster", (640, 360)), ("thumbnails", (1600, 900))):
            answer = await shelf.admin.session.get(
                video[kind], headers={"Authorization": f"Bearer {shelf.admin.token}"}
            )
            with Image.open(BytesIO(await answer.read())) as picture:
                assert (answer.content_type, picture.format, picture.size) == ("image/jpeg", "JPEG", size)
            same = {"If-None-Match": answer.headers["ETag"]}
            assert (await shelf.admin("GET", video[kind], headers=same)).status == 304
        times = await shelf.admin("GET", f"{video['thumbnails']}.vtt")
        assert times.headers["Content-Type"].startswith("text/vtt")
        assert times.body.count("\nthumbnails#xywh=") == 100
        worker.send_signal(signal.SIGTERM)
        assert await worker.wait() == 0
    finally:
        if worker.returncode is None:
            worker.kill()
            await worker.wait()


def task(tmp_path: Path, source: Path, kind: JobKind, duration: float | None) -> Assignment:
    folder = tmp_path / "work"
    folder.mkdir()
    made = Assignment(Job(kind=kind), Video(duration=duration), "lease", folder)
    made.source = source
    return made


async def test_a_poster_is_not_black(tmp_path: Path) -> None:
    """Although the film is, for longer than the part at which it is looked first."""
    film = tmp_path / "film.mp4"
    black = "color=black:s=320x240:r=5:d=3[b];color=red:s=320x240:r=5:d=1[r];[b][r]concat"
    run(["ffmpeg", "-v", "error", "-filter_complex", black, str(film)], timeout_s=FFMPEG_TIMEOUT_S)
    poster = await Ffmpeg(Disk(tmp_path, keep_free=0), Probe()).make(task(tmp_path, film, JobKind.POSTER, 4.0))
    with Image.open(poster.file) as picture:
        red, green, _ = picture.convert("RGB").resize((1, 1)).tobytes()
    assert red > 200 > 50 > green
    assert (poster.width, poster.height) == (640, 480)


def colour_at(sheet: Path, number: int) -> tuple[int, int, int]:
    """The mean colour of a thumbnail."""
    with Image.open(sheet) as picture:
        wide, high = picture.width // COLUMNS, picture.height // ROWS
        left, top = number % COLUMNS * wide, number // COLUMNS * high
        one = picture.convert("RGB").crop((left, top, left + wide, top + high)).resize((1, 1))
    red, green, blue = one.tobytes()
    return red, green, blue


@pytest.mark.parametrize(
    ("seconds", "rate", "told"),
    [(8.0, 5.0, 8.0), (400.0, 0.5, 400.0), (0.4, 5.0, 0.4), (8.0, 5.0, 16.0)],
    ids=["short", "key-frames", "shorter-than-a-second", "ends-early"],
)
async def test_thumbnails_are_those_of_their_time(tmp_path: Path, seconds: float, rate: float, told: float) -> None:
    """Of a film that is red and then blue, whose pictures may end before it says that it does."""
    film = tmp_path / "film.mkv"
    half = f"s=320x240:r={rate}:d={seconds / 2}"
    halves = f"color=red:{half}[r];color=blue:{half}[b];[r][b]concat"
    keys = ("-force_key_frames", "expr:gte(t,n_forced*5)")
    run(["ffmpeg", "-v", "error", "-filter_complex", halves, *keys, str(film)], timeout_s=FFMPEG_TIMEOUT_S)
    sheet = await Ffmpeg(Disk(tmp_path, keep_free=0), Probe()).make(task(tmp_path, film, JobKind.THUMBNAILS, told))
    assert (sheet.width, sheet.height) == (1600, 1200)
    changes = seconds / 2 / every_s(told)
    for number in (0, int(changes) - 6, int(changes) + 6, 99):
        red, _, blue = colour_at(sheet.file, number)
        assert (red > 200 > 50 > blue) if number < changes else (blue > 200 > 50 > red), number


def test_the_times_of_thumbnails_are_webvtt() -> None:
    """From the first to the last, in the rows and columns of the sheet; hours have two digits."""
    blocks = as_webvtt(36_000.0, 1600, 900).strip().split("\n\n")
    assert (blocks[0], len(blocks)) == ("WEBVTT", 101)
    assert blocks[1] == "00:00:00.000 --> 00:06:00.000\nthumbnails#xywh=0,0,160,90"
    assert blocks[12] == "01:06:00.000 --> 01:12:00.000\nthumbnails#xywh=160,90,160,90"
    assert blocks[100] == "09:54:00.000 --> 10:00:00.000\nthumbnails#xywh=1440,810,160,90"


async def test_what_cannot_be_converted_says_why(tmp_path: Path, clips: Clips, monkeypatch: pytest.MonkeyPatch) -> None:
    """A film that cannot be decoded, one without a length, and one that would be larger than it can be."""
    ffmpeg = Ffmpeg(Disk(tmp_path, keep_free=0), Probe())
    work = task(tmp_path, clips.magicyuv_avi(seconds=0.4), JobKind.SD, None)
    with pytest.raises(Flaw, match="how long it is"):
        await ffmpeg.make(work)
    work.job.kind = JobKind.THUMBNAILS
    with pytest.raises(Flaw, match="how long it is"):
        await ffmpeg.make(work)
    work.job.kind, work.video.duration = JobKind.SD, 1.0
    monkeypatch.setattr(type(QUALITIES[JobKind.SD]), "size", lambda _quality, _seconds: 1000)
    with pytest.raises(Flaw, match="larger than any film of its length"):
        await ffmpeg.make(work)
    (tmp_path / "junk").write_bytes(b"\0" * 5000)
    work.source = tmp_path / "junk"
    for work.job.kind in (JobKind.SD, JobKind.POSTER, JobKind.THUMBNAILS):
        with pytest.raises(Flaw, match="cannot be decoded"):
            await ffmpeg.make(work)
