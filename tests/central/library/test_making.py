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
        ready = await made(shelf, video_id, "1080p", "poster")
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
        assert len((await made(shelf, video_id, "1080p", "poster", "480p"))["renditions"]) == 2
        small = await box("GET", f"{source}?rendition=480p")
        assert (await central.anybody("HEAD", small["path"])).status == 200
        assert (folder / video_id).read_bytes() == avi


async def test_a_worker_of_its_own_does_the_jobs(sqlite_shelf: ServedShelf, sqlite_url: str, clips: Clips) -> None:
    """On the same database and folder; a poster has an ETag, and SIGTERM ends the worker at once."""
    shelf = sqlite_shelf
    video_id = (await shelf.checked(clips.film_mp4().read_bytes()))["id"]
    environ = {"CAST_CENTRAL_DATABASE__URL": sqlite_url, "CAST_CENTRAL_LIBRARY__DIR": str(shelf.folder)}
    worker = await asyncio.create_subprocess_exec(
        *CLI, "worker", env=os.environ | environ, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        video = await made(shelf, video_id, "poster")
        poster = await shelf.admin.session.get(
            video["poster"], headers={"Authorization": f"Bearer {shelf.admin.token}"}
        )
        with Image.open(BytesIO(await poster.read())) as picture:
            assert (poster.content_type, picture.format, picture.size) == ("image/jpeg", "JPEG", (640, 360))
        same = {"If-None-Match": poster.headers["ETag"]}
        assert (await shelf.admin("GET", video["poster"], headers=same)).status == 304
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


async def test_what_cannot_be_converted_says_why(tmp_path: Path, clips: Clips, monkeypatch: pytest.MonkeyPatch) -> None:
    """A film that cannot be decoded, one without a length, and one that would be larger than it can be."""
    ffmpeg = Ffmpeg(Disk(tmp_path, keep_free=0), Probe())
    work = task(tmp_path, clips.magicyuv_avi(seconds=0.4), JobKind.SD, None)
    with pytest.raises(Flaw, match="how long it is"):
        await ffmpeg.make(work)
    work.video.duration = 1.0
    monkeypatch.setattr(type(QUALITIES[JobKind.SD]), "size", lambda _quality, _seconds: 1000)
    with pytest.raises(Flaw, match="larger than any film of its length"):
        await ffmpeg.make(work)
    (tmp_path / "junk").write_bytes(b"\0" * 5000)
    work.source = tmp_path / "junk"
    with pytest.raises(Flaw, match="cannot be decoded"):
        await ffmpeg.make(work)
