"""Live streams through the real MediaMTX: its addresses, and what it records; skipped where there is none."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.central.support.mediamtx import MediaMtxProcess, free_port, publisher, real_mediamtx
from tests.central.support.service import Answered, Central, served
from tests.support.tools import LOOK_EVERY_S, program

BINARY = program("mediamtx")

pytestmark = pytest.mark.skipif(
    BINARY is None,
    reason="THE REAL MEDIAMTX WAS NOT TESTED: put `mediamtx` (1.19 or newer) on the PATH, or name it in MEDIAMTX",
)

SOON_S = 30.0


@dataclass
class Studio:
    central: Central
    media: MediaMtxProcess
    recordings: Path

    async def live(self, **changes: Any) -> Answered:
        made = await self.central.admin("POST", "/api/v1/live", {"title": "Front door"} | changes)
        assert made.status == 201, made.body
        return made

    async def is_(self, live: Answered, state: str) -> None:
        async with asyncio.timeout(SOON_S):
            while (await self.central.admin("GET", f"/api/v1/live/{live['id']}"))["state"] != state:
                await asyncio.sleep(LOOK_EVERY_S)

    async def ready(self, count: int) -> list[dict[str, Any]]:
        """The videos of the library, once so many can be played."""
        async with asyncio.timeout(SOON_S):
            while len(found := (await self.central.admin("GET", "/api/v1/videos?state=ready"))["items"]) < count:
                await asyncio.sleep(LOOK_EVERY_S)
        return list(found)


@pytest.fixture
async def studio(sqlite_url: str, tmp_path: Path) -> AsyncIterator[Studio]:
    assert BINARY is not None
    api, rtsp, rtmp, srt = (free_port() for _ in range(4))
    recordings = tmp_path / "recordings"
    recordings.mkdir()
    settings = {
        "api_url": f"http://127.0.0.1:{api}",
        "rtsp_url": f"rtsp://127.0.0.1:{rtsp}",
        "rtmp_url": f"rtmp://127.0.0.1:{rtmp}",
        "srt_url": f"srt://127.0.0.1:{srt}",
        "recordings": str(recordings),
        "grace": 1,
    }
    changes: dict[str, Any] = {"rtmpAddress": f"127.0.0.1:{rtmp}", "srt": True, "srtAddress": f"127.0.0.1:{srt}"}
    library = {"dir": str(tmp_path / "library"), "workers": 0}
    async with (
        served(sqlite_url, mediamtx=settings, library=library) as central,
        real_mediamtx(BINARY, api_port=api, central_url=central.url, rtsp=rtsp, **changes) as media,
    ):
        yield Studio(central, media, recordings)


@pytest.mark.parametrize(("protocol", "kind"), [("rtsp", "rtsp"), ("rtmp", "flv"), ("srt", "mpegts")])
async def test_the_addresses_let_publishers_in(studio: Studio, protocol: str, kind: str) -> None:
    """As ffmpeg takes them; a publisher that is stopped is disconnected."""
    live = await studio.live()
    async with publisher(live["publish"][protocol], kind=kind) as process:
        await studio.is_(live, "live")
        assert (await studio.central.admin("POST", f"/api/v1/live/{live['id']}/stop")).status == 200
        async with asyncio.timeout(SOON_S):
            await process.wait()


async def test_what_mediamtx_records_is_in_the_library(studio: Studio) -> None:
    """Recording begins and ends under a publisher that stays connected, and each part is a video; so is what a
    MediaMTX that was killed has left."""
    live = await studio.live()
    path = f"/api/v1/live/{live['id']}"
    async with publisher(live["publish"]["rtsp"], kind="rtsp") as process:
        await studio.is_(live, "live")
        for _ in range(2):
            assert (await studio.central.admin("PATCH", path, {"record": True})).status == 200
            await asyncio.sleep(3)  # of film
            assert (await studio.central.admin("PATCH", path, {"record": False})).status == 200
        await studio.ready(1)
        assert process.returncode is None
        await studio.central.admin("PATCH", path, {"record": True})
        await asyncio.sleep(4)
        await studio.ready(2)
        [folder] = (studio.recordings / "live").iterdir()
        assert list(folder.iterdir())
        studio.media.process.kill()
        await studio.media.process.wait()
        async with asyncio.timeout(SOON_S):
            await process.wait()
    assert BINARY is not None
    api = int(studio.media.api.rpartition(":")[2])
    async with real_mediamtx(BINARY, api_port=api, central_url=studio.central.url):
        videos = await studio.ready(3)
        assert [video["video_codec"] for video in videos] == ["h264"] * 3
        assert all(1 < video["duration"] < 10 for video in videos), videos
        assert list(folder.iterdir()) == []
