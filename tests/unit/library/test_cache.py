"""The cache of the library's videos, with a scripted central API and a real disk."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from agent.casting.video_source import CentralVideo
from agent.errors import CentralRefusedError, CentralUnavailableError, StreamNotFoundError
from agent.events.bus import EventBus
from agent.library import cache as cache_module
from agent.library import fetching, known
from agent.library.cache import CacheContents, VideoCache
from agent.library.folder import KEEP_FREE
from agent.persistence.entry_file import EntryFile
from agent.snapshot import SessionSnapshot
from agent.types import CentralStream, PlayerState, StreamRef
from cast_util.backoff import Backoff
from cast_wire.kinds import EventKind
from tests.support.api import session_snapshot
from tests.support.library import video_cache
from tests.support.tools import LOOK_EVERY_S, SOON_S

LIMIT = 1000


class Central:
    """A central API with some videos; the bytes that it sends may break off, or be others."""

    def __init__(self) -> None:
        self.videos: dict[str, bytes] = {"a": b"a" * 400, "b": b"b" * 400, "c": b"c" * 400}
        self.refuses: Exception | None = None
        self.answers_after_s = 0.0
        self.breaks_at: int | None = None
        self.wrong = False
        self.offsets: list[int] = []
        self.holds = asyncio.Event()
        self.holds.set()
        """While it is clear, nothing more is sent."""

    async def find(self, ref: StreamRef) -> CentralStream:
        raise NotImplementedError

    async def kept_video(self, video_id: str) -> None:
        return None

    async def find_video(self, video_id: str) -> CentralVideo:
        await asyncio.sleep(self.answers_after_s)
        if self.refuses is not None:
            raise self.refuses
        content = self.videos[video_id]
        url = f"http://central/{video_id}?token=1"
        return CentralVideo(url, f"Film {video_id}", "video/mp4", len(content), hashlib.sha256(content).hexdigest())

    async def download(self, url: str, offset: int) -> AsyncGenerator[bytes, None]:
        self.offsets.append(offset)
        content = self.videos[url.partition("?")[0][-1]]
        content = content[::-1].replace(content[:1], b"x") if self.wrong else content
        for start in range(offset, len(content), 100):
            await self.holds.wait()
            if self.breaks_at is not None and start >= self.breaks_at:
                self.breaks_at = None
                self.holds.clear()
                raise CentralUnavailableError("It broke off.")
            yield content[start : start + 100]


class Box:
    """One life of a cache, in `folder`."""

    def __init__(self, folder: Path, central: Central, *, limit: int = LIMIT) -> None:
        self.sessions: list[SessionSnapshot] = []
        self.bus = EventBus()
        self.folder = folder / "library"
        self.cache: VideoCache = video_cache(
            self.folder,
            streams=central,
            download=central.download,
            limit=limit,
            sessions=lambda: self.sessions,
            file=EntryFile(folder / "library.json"),
        )

    async def play(self, video_id: str) -> str:
        """The address that it is played at, once its picture is there; it ends at once."""
        video = await self.cache.find_video(video_id)
        on = session_snapshot(url=video.url, video_id=video_id, state=PlayerState.PLAYING)
        self.sessions.append(on)
        counted = self.cache.hits + self.cache.misses
        self.bus.publish(EventKind.FIRST_FRAME, on.session_id)
        await self.until(lambda: self.cache.hits + self.cache.misses > counted)
        known = self.folder.parent / "library.json"
        await self.until(lambda: known.exists() and f'"video_id": "{video_id}"' in known.read_text())
        self.sessions.remove(on)
        return video.url

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(SOON_S):
            while not condition():
                await asyncio.sleep(LOOK_EVERY_S)

    async def until_contents(self, condition: Callable[[CacheContents], object]) -> CacheContents:
        async with asyncio.timeout(SOON_S):
            while not condition(contents := await self.cache.contents()):
                await asyncio.sleep(LOOK_EVERY_S)
        return contents

    async def keep(self, *video_ids: str) -> None:
        """Play these and have them whole, one after the other."""
        for video_id in video_ids:
            await self.play(video_id)
            while video_id not in {video.id for video in (await self.cache.contents()).videos if video.complete}:
                await asyncio.sleep(LOOK_EVERY_S)

    def files(self) -> set[str]:
        return {path.name for path in self.folder.iterdir()} if self.folder.is_dir() else set()


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "PAUSES", Backoff(0.02, cap_s=0.02))
    monkeypatch.setattr(fetching, "LOOK_EVERY_S", 0.05)
    monkeypatch.setattr(cache_module, "ANSWER_S", 0.1)


@asynccontextmanager
async def life(folder: Path, central: Central, *, limit: int = LIMIT) -> AsyncIterator[Box]:
    box = Box(folder, central, limit=limit)
    box.cache.start(box.bus)
    try:
        yield box
    finally:
        await box.cache.stop()


def hash_of(central: Central, video_id: str) -> str:
    return hashlib.sha256(central.videos[video_id]).hexdigest()


async def test_a_video_is_kept_and_plays_from_its_file(tmp_path: Path) -> None:
    """It is kept after its first picture, under its hash. It plays from there while the central API is away or hangs,
    also after a restart."""
    central = Central()
    async with life(tmp_path, central) as box:
        assert (await box.play("a")).startswith("http://central/a")
        contents = await box.until_contents(lambda now: now.videos and now.videos[0].complete)
        [video] = contents.videos
        assert (video.id, video.title, video.size, video.received) == ("a", "Film a", 400, 400)
        file = box.folder / hash_of(central, "a")
        assert file.read_bytes() == central.videos["a"]
        assert await box.play("a") == file.as_uri()
        assert (box.cache.hits, box.cache.misses) == (1, 1)
        assert box.cache.used == contents.used == 400
    central.refuses = CentralUnavailableError("It is away.")
    async with life(tmp_path, central) as box:
        found = await box.cache.find_video("a")
        assert (found.url, found.title) == (file.as_uri(), "Film a")
        with pytest.raises(CentralUnavailableError):
            await box.cache.find_video("b")
        central.answers_after_s = SOON_S
        assert (await box.cache.find_video("a")).url == file.as_uri()
    assert central.offsets == [0]


@pytest.mark.parametrize("error", [StreamNotFoundError("Deleted."), CentralRefusedError("Who are you?")])
async def test_what_the_central_api_refuses_is_not_played_any_more(tmp_path: Path, error: Exception) -> None:
    """Its bytes go, and it stays away when the central API is away later."""
    central = Central()
    async with life(tmp_path, central) as box:
        await box.keep("a")
        central.refuses = error
        with pytest.raises(type(error)):
            await box.cache.find_video("a")
        assert box.files() == set()
    central.refuses = CentralUnavailableError("It is away.")
    async with life(tmp_path, central) as box:
        with pytest.raises(CentralUnavailableError):
            await box.cache.find_video("a")


async def test_a_refusal_that_comes_late_counts(tmp_path: Path) -> None:
    """The play does not wait for it, and goes on; the next one is refused."""
    central = Central()
    async with life(tmp_path, central) as box:
        await box.keep("a")
        central.answers_after_s, central.refuses = 0.2, StreamNotFoundError("Deleted.")
        assert (await box.cache.find_video("a")).url.startswith("file:")
        await box.until(lambda: not box.files())
        with pytest.raises(StreamNotFoundError):
            await box.cache.find_video("a")


async def test_knowledge_runs_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A box that never reaches the central API again does not show its videos for ever."""
    central = Central()
    async with life(tmp_path, central) as box:
        await box.keep("a")
        central.refuses = CentralUnavailableError("It is away.")
        later = datetime.now(UTC) + known.KNOWN_FOR + timedelta(seconds=1)
        monkeypatch.setattr(
            known, "datetime", SimpleNamespace(now=lambda _: later, fromisoformat=datetime.fromisoformat)
        )
        with pytest.raises(CentralUnavailableError):
            await box.cache.find_video("a")


async def test_a_download_goes_on_where_it_broke_off(tmp_path: Path) -> None:
    """It goes on after a lost connection, and after a restart, without another play."""
    central = Central()
    central.breaks_at = 100
    async with life(tmp_path, central) as box:
        await box.play("a")
        await box.until(lambda: central.offsets == [0, 100])  # and then nothing more comes
        part = box.folder / f"{hash_of(central, 'a')}.part"
    assert part.read_bytes() == b"a" * 100
    central.holds.set()
    async with life(tmp_path, central) as box:
        await box.until_contents(lambda now: now.videos and now.videos[0].complete)
    assert central.offsets == [0, 100, 100]
    assert part.with_suffix("").read_bytes() == central.videos["a"]


async def test_wrong_bytes_are_thrown_away_and_told(tmp_path: Path) -> None:
    """They never play; the next play fetches the video again."""
    central = Central()
    central.wrong = True
    async with life(tmp_path, central) as box:
        await box.play("a")
        contents = await box.until_contents(lambda now: now.problem)
        assert '"Film a"' in str(contents.problem)
        assert box.files() == set()
        assert box.cache.health.available
        central.wrong = False
        await box.keep("a")
        assert (await box.cache.contents()).problem is None


async def test_what_was_played_longest_ago_goes_first(tmp_path: Path) -> None:
    """A video that is on or waits stays, and a video that is larger than the cache is not fetched."""
    central = Central()
    central.videos["d"] = b"d" * (LIMIT + 1)
    async with life(tmp_path, central) as box:
        await box.keep("a", "b")
        await box.play("a")
        await box.keep("c")
        assert box.files() == {hash_of(central, "a"), hash_of(central, "c")}
        box.sessions.append(session_snapshot(video_id="a", state=PlayerState.PLAYING))
        await box.keep("b")
        assert box.files() == {hash_of(central, "a"), hash_of(central, "b")}
        await box.play("d")
        await box.until(lambda: central.offsets == [0, 0, 0, 0])
        assert box.files() == {hash_of(central, "a"), hash_of(central, "b")}
    async with life(tmp_path, central, limit=500) as box:
        await box.until(lambda: box.files() == {hash_of(central, "b")})
    async with life(tmp_path, central, limit=0) as box:
        await box.until(lambda: not box.files())
        assert (await box.cache.find_video("b")).url.startswith("http://central/b")


async def test_a_full_disk_keeps_nothing_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Playing goes on; once there is space the video is fetched."""
    central, real = Central(), os.statvfs
    free = [KEEP_FREE + 200]
    monkeypatch.setattr(os, "statvfs", lambda path: SimpleNamespace(f_bavail=free[0], f_frsize=1, real=real(path)))
    async with life(tmp_path, central) as box:
        assert (await box.play("a")).startswith("http://central/a")
        await box.until(lambda: not box.cache.health.available)
        assert "Free some space" in box.cache.health.message
        assert (await box.cache.find_video("a")).url.startswith("http://central/a")
        free[0] = KEEP_FREE + 4000
        await box.until(lambda: box.cache.health.available)
        await box.until_contents(lambda now: now.videos and now.videos[0].complete)
        free[0] = KEEP_FREE - 1
        await box.until(lambda: not box.files())


async def test_a_disk_that_refuses_holds_up_no_play(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither what is known nor the bytes can be written."""
    central = Central()
    (tmp_path / "library").write_text("no folder")
    (tmp_path / "library.json").mkdir()
    async with life(tmp_path, central) as box:
        assert (await box.cache.find_video("a")).url.startswith("http://central/a")
        await box.until(lambda: not box.cache.health.available)
        assert os.strerror(errno.EISDIR) in box.cache.health.message or os.strerror(errno.ENOTDIR) in (
            box.cache.health.message
        )


async def test_it_is_cleared(tmp_path: Path) -> None:
    """One video, or all, and one that is being fetched."""
    central = Central()
    async with life(tmp_path, central) as box:
        await box.keep("a", "b")
        assert await box.cache.clear("a") == 1
        assert box.files() == {hash_of(central, "b")}
        assert await box.cache.clear("a") == 0
        central.holds.clear()
        await box.play("c")
        await box.until(lambda: len(central.offsets) == 3)
        await box.cache.clear()
        central.holds.set()
        await box.until(lambda: not box.files())
        assert (await box.cache.contents()).videos == ()


async def test_a_stream_that_buffers_has_the_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next piece waits for it, and not for ever."""
    monkeypatch.setattr(fetching, "BUSY_LOOK_S", 0.01)
    monkeypatch.setattr(fetching, "BUSY_LOOKS", 1_000_000)
    central = Central()
    async with life(tmp_path, central) as box:
        busy = session_snapshot(state=PlayerState.BUFFERING)
        box.sessions.append(busy)
        await box.play("a")
        await box.until_contents(lambda now: now.videos and now.videos[0].received == 100)
        box.sessions.remove(busy)
        await box.until_contents(lambda now: now.videos and now.videos[0].complete)


async def test_what_is_kept_of_videos_may_be_damaged(tmp_path: Path) -> None:
    """Entries that are none are left out, and with them files that nobody knows."""
    central = Central()
    (tmp_path / "library").mkdir()
    stranger = tmp_path / "library" / ("0" * 64)
    stranger.write_bytes(b"0")
    await EntryFile(tmp_path / "library.json").write([{"video_id": "a"}, {"video_id": "a", "sha256": "../../etc"}])
    async with life(tmp_path, central) as box:
        assert (await box.cache.contents()).videos == ()
        await box.until(lambda: not stranger.exists())
