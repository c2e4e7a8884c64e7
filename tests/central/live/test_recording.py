"""Live streams that are recorded: MediaMTX is told so, again after its restart, and each file that it has finished is a
video of the library once."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from central.core.ids import id_of
from central.core.types import Caller, Role
from central.library import repository as library_repository
from central.library.folder import MARK
from central.library.models import VideoBody
from central.library.tables import Video
from central.live import feature, segments
from tests.central.support.mediamtx import FakeControlApi, fake_control_api
from tests.central.support.service import Answered, Central, Client, served
from tests.support.clips import FFMPEG_TIMEOUT_S, Clips
from tests.support.tools import LOOK_EVERY_S, run

BEGAN = datetime(2026, 3, 4, 5, 6, 7, 890_000, UTC)
NAME = f"{int(BEGAN.timestamp())}-890000"
OLD_S = 60.0
"""The age of what MediaMTX has finished."""


@dataclass
class Studio:
    """A central service with a library, and the folder of a MediaMTX."""

    central: Central
    media: FakeControlApi
    recordings: Path
    library: Path

    async def live(self, **changes: Any) -> Answered:
        made = await self.central.admin("POST", "/api/v1/live", {"title": "Front door", "record": True} | changes)
        assert made.status == 201, made.body
        return made

    def record(self, path: str, data: bytes, *, name: str = NAME, age_s: float = OLD_S) -> Path:
        """A file of MediaMTX, last written to so long ago."""
        file = self.recordings / path / f"{name}.mp4"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
        at = time.time() - age_s
        os.utime(file, (at, at))
        return file

    async def look(self) -> None:
        """The service looks at MediaMTX, and does what follows."""
        await self.central.services.media.reconciliation.once()
        await self.central.services.live.recording.align()
        await self.central.services.live.recording.sweep()

    async def videos(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = (await self.central.admin("GET", "/api/v1/videos"))["items"]
        return found


@pytest.fixture(autouse=True)
def _only_when_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A service that looks by itself as well has a recording at the moment in which the test looks for it."""
    for name in ("ALIGN_S", "SWEEP_S"):
        monkeypatch.setattr(feature, name, 3600.0)


@asynccontextmanager
async def studio_on(url: str, folder: Path, **library: Any) -> AsyncIterator[Studio]:
    """It looks only when the test says so."""
    recordings = folder / "recordings"
    recordings.mkdir()
    async with fake_control_api() as media:
        settings = {"api_url": media.url, "recordings": str(recordings), "reconcile": 3600}
        shelf = {"dir": str(folder / "library"), "workers": 0} | library
        async with served(url, mediamtx=settings, library=shelf) as central:
            yield Studio(central, media, recordings, folder / "library")


@pytest.fixture
async def studio(sqlite_url: str, tmp_path: Path) -> AsyncIterator[Studio]:
    async with studio_on(sqlite_url, tmp_path) as made:
        yield made


def test_an_id_is_made_of_a_name_and_a_moment() -> None:
    """A UUIDv7 that is always the same."""
    assert id_of("a", BEGAN) == id_of("a", BEGAN) != id_of("b", BEGAN)
    assert id_of("a", BEGAN)[14] == "7"
    assert id_of("a", BEGAN)[19] in "89ab"
    assert int(id_of("a", BEGAN).replace("-", "")[:12], 16) == int(BEGAN.timestamp() * 1000)


async def test_recording_is_switched_on_and_off(studio: Studio) -> None:
    """At once, and without a new connection of the publisher; MediaMTX is told the folder, and to delete nothing."""
    live, other = await studio.live(), await studio.live(record=False)
    config = studio.media.recorded[live["path"]]
    assert config["record"] is True
    assert config["recordPath"] == f"{studio.recordings}/%path/%s-%f"
    assert config["recordDeleteAfter"] == "0s"
    assert (await studio.central.admin("PATCH", f"/api/v1/live/{live['id']}", {"record": False}))["record"] is False
    assert studio.media.recorded == {}
    await studio.central.admin("PATCH", f"/api/v1/live/{other['id']}", {"record": True})
    assert list(studio.media.recorded) == [other["path"]]
    await studio.central.admin("DELETE", f"/api/v1/live/{other['id']}")
    assert studio.media.recorded == {}
    assert studio.media.kicked == []


async def test_a_media_server_that_was_restarted_is_told_again(studio: Studio) -> None:
    """And one that was away when a recording ended. Paths that others have configured stay as they are."""
    live = await studio.live()
    studio.media.recorded = {"live/kitchen": {}}
    await studio.look()
    assert studio.media.recorded.keys() == {"live/kitchen", live["path"]}
    studio.media.failing = True
    await studio.central.admin("DELETE", f"/api/v1/live/{live['id']}")
    studio.media.failing = False
    assert live["path"] in studio.media.recorded
    await studio.look()
    assert studio.media.recorded.keys() == {"live/kitchen"}


async def test_without_a_folder_nothing_can_be_recorded(sqlite_url: str) -> None:
    """The answer names the settings."""
    async with served(sqlite_url) as central:
        answer = await central.admin("POST", "/api/v1/live", {"title": "Front door", "record": True})
        assert (answer.status, answer["errors"][0]["field"]) == (422, "record")
        assert "mediamtx.recordings" in answer["errors"][0]["message"]


async def test_a_recording_becomes_a_video(database_url: str, tmp_path: Path, clips: Clips) -> None:
    """With the title of the live stream and its time, for the quota of whoever made that; its file is gone."""
    async with studio_on(database_url, tmp_path) as studio:
        live = await studio.live(title="x" * 200)
        fragments = ("-c", "copy", "-movflags", "frag_keyframe+empty_moov")  # as MediaMTX writes them
        run(["ffmpeg", "-i", str(clips.film_mp4()), *fragments, str(tmp_path / "film.mp4")], timeout_s=FFMPEG_TIMEOUT_S)
        file = studio.record(live["path"], (tmp_path / "film.mp4").read_bytes())
        await studio.look()
        [video] = await studio.videos()
        assert video["title"] == f"{'x' * 175} 2026-03-04 05:06:07Z"
        assert (video["tags"], video["type"]) == (["live"], "video/mp4")
        assert video["made_by"].startswith("test ")
        async with asyncio.timeout(30):
            while (found := (await studio.videos())[0])["state"] == "checking":
                await asyncio.sleep(LOOK_EVERY_S)
        assert (found["state"], found["video_codec"]) == ("ready", "h264")
        assert not file.exists()
        assert await held(studio.central, video["id"]) == library_repository.LEAST


async def held(central: Central, video_id: str) -> int:
    """The bytes that the key of the video holds."""

    async def work(session: AsyncSession) -> int:
        video = await session.get(Video, video_id)
        assert video is not None
        assert video.key_id is not None
        return await library_repository.held(session, video.key_id)

    return await central.services.database.write(work)


async def test_a_sound_is_a_sound(studio: Studio, clips: Clips) -> None:
    """A publisher without a picture, such as a radio station."""
    studio.record((await studio.live())["path"], clips.silent_m4a().read_bytes())
    await studio.look()
    assert [video["type"] for video in await studio.videos()] == ["audio/mp4"]


async def test_what_mediamtx_still_writes_is_left_alone(studio: Studio) -> None:
    """The last file of a path that is on and recorded, and what was written to a moment ago."""
    live, over = await studio.live(), await studio.live(title="Over")
    studio.media.put_on(live["path"], "c1")
    await studio.central.auth(live["key_value"], live["path"])
    first = studio.record(live["path"], b"first", name="1772600000-000000", age_s=3600)
    last = studio.record(live["path"], b"last", name="1772600001-000000", age_s=50)
    fresh = studio.record(over["path"], b"fresh", age_s=0)
    await studio.look()
    assert (first.exists(), last.exists(), fresh.exists()) == (False, True, True)
    await studio.central.admin("PATCH", f"/api/v1/live/{live['id']}", {"record": False})
    os.utime(fresh, (0, time.time() - OLD_S))
    await studio.look()
    assert (last.exists(), fresh.exists()) == (False, False)
    assert len(await studio.videos()) == 3


@pytest.mark.parametrize("left", ["bytes", "a part", "an abandoned part", "all bytes", "a video", "a deleted video"])
async def test_what_a_kill_interrupted_is_done_once(studio: Studio, left: str) -> None:
    """Whatever the last step before it was: bytes without a row, a row with some bytes or all of them, a video whose
    recording was not removed yet, and one that somebody has deleted since."""
    live, data = await studio.live(), os.urandom(3_000_000)
    file = studio.record(live["path"], data)
    video_id = id_of(f"{live['id']}/{file.name}", BEGAN)
    library, by = studio.central.services.library, Caller(Role.ADMIN, name="api.secret")
    if left == "bytes":
        studio.library.mkdir()
        (studio.library / MARK).touch()
        (studio.library / video_id).touch()
    else:
        body = VideoBody(title="Front door", type="video/mp4", size=len(data))
        await library.videos.reserve(by, body, video_id=video_id)
        sent = data[: 1_000_000 if left.endswith("part") else None]
        (studio.library / video_id).write_bytes(sent)
    if left == "an abandoned part":  # the service was not there for more than a day
        os.utime(studio.library / video_id, (0, 0))
        studio.central.clock.forward(2 * 86_400)
        await library.upkeep.once()
        assert await studio.videos() == []
    if left in ("a video", "a deleted video"):
        await library.uploads.complete(by, video_id)
    if left == "a deleted video":
        await library.videos.delete(video_id)
    await asyncio.gather(studio.look(), studio.look())
    await studio.look()
    assert [video["id"] for video in await studio.videos()] == ([] if left == "a deleted video" else [video_id])
    assert not file.exists()


async def test_two_instances_import_a_recording_once(studio: Studio) -> None:
    """Whoever has the file has the recording; it is gone for the other."""
    file = studio.record((await studio.live())["path"], b"data")
    await studio.central.services.media.reconciliation.once()
    look = studio.central.services.media.reconciliation.last
    assert look is not None
    [segment] = segments.finished(studio.recordings, look)
    taken = segments.take(segment)
    assert taken is not None
    assert segments.take(segment) is None
    await studio.look()
    assert (await studio.videos(), file.exists()) == ([], True)
    segments.remove(segment)
    taken.close()
    assert segments.take(segment) is None


async def test_a_recording_that_cannot_be_imported_stays(sqlite_url: str, tmp_path: Path) -> None:
    """The log says once what to do; it is imported as soon as that is done."""
    async with studio_on(sqlite_url, tmp_path, quota=0.001) as studio:
        live = await studio.live()
        file, other = studio.record(live["path"], bytes(600_000)), await studio.live(title="Other")
        await studio.look()
        second = studio.record(other["path"], bytes(600_000))
        with structlog.testing.capture_logs() as logged:
            await studio.look()
            await studio.look()
        [told] = [entry for entry in logged if entry["log_level"] == "warning"]
        assert told["event"] == "recording_import_failed"
        assert "(library.quota)" in told["message"]
        assert (file.exists(), second.exists()) == (False, True)
        [video] = await studio.videos()
        await studio.central.admin("DELETE", f"/api/v1/videos/{video['id']}")
        studio.central.clock.forward(60)
        await studio.look()
        assert not second.exists()


async def test_nothing_is_recorded_on_a_full_disk(sqlite_url: str, tmp_path: Path) -> None:
    """What is already recorded is not lost, and nothing is added."""
    async with studio_on(sqlite_url, tmp_path, keep_free=1_000_000) as studio:
        live = await studio.live()
        await studio.look()
        assert live["path"] not in studio.media.recorded


async def test_what_belongs_to_no_live_stream_stays(studio: Studio) -> None:
    """A recording of another, or of one whose broadcaster was deleted, and files that are none."""
    live = await studio.live()
    strangers = [studio.record(path, b"data") for path in ("live/kitchen", f"live/{id_of('x', BEGAN)}")]
    strangers.append(studio.record(live["path"], b"data", name="notes"))
    await studio.look()
    assert await studio.videos() == []
    assert all(file.exists() for file in strangers)


async def test_an_upload_key_makes_no_live_stream(studio: Studio) -> None:
    token = await studio.central.services.access.add_key("uploader", Role.UPLOADER)
    answer = await Client(studio.central.session, token)("POST", "/api/v1/live", {"title": "Front door"})
    assert answer.status == 403
