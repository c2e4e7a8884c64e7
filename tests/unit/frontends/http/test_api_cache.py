"""The calls and the command about kept videos."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from dataclasses import asdict
from pathlib import Path

import pytest
from aiohttp import ClientSession
from structlog.testing import capture_logs

from agent.cli import main
from agent.library.cache import VideoCache
from agent.library.known import KnownVideo
from agent.persistence.entry_file import EntryFile
from tests.support.api import ScriptedPlayers, ScriptedStage, ScriptedTracker, served_by
from tests.support.library import video_cache
from tests.unit.cli.environment import only_settings_of_the_test

WHOLE, PART = b"film" * 1000, b"other" * 1000


@pytest.fixture
async def cache(tmp_path: Path) -> VideoCache:
    """A cache with a film, and a half of another one that is older."""
    folder, file = tmp_path / "library", EntryFile(tmp_path / "library.json")
    folder.mkdir()
    videos = []
    for video_id, content in (("b", PART), ("a", WHOLE)):
        sha256 = hashlib.sha256(content).hexdigest()
        at = "2026-01-31T17:05:00Z"
        videos.append(KnownVideo(video_id, f"Film {video_id}", "video/mp4", len(content), sha256, at, at))
        name = sha256 if content is WHOLE else f"{sha256}.part"
        (folder / name).write_bytes(content if content is WHOLE else content[:2500])
    await file.write([asdict(video) for video in videos])
    return video_cache(folder, limit=10_000, file=file)


@pytest.fixture
async def client(cache: VideoCache, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AsyncIterator[ClientSession]:
    """The API of the agent of this machine."""
    only_settings_of_the_test(monkeypatch, tmp_path)
    tracker = ScriptedTracker()
    with capture_logs():  # they would be between the command's words
        async with served_by(tracker, ScriptedStage(), ScriptedPlayers(), cache=cache) as (client, port):
            monkeypatch.setenv("CAST_AGENT_API__PORT", str(port))
            yield client
    tracker.outcome.cancel()


async def test_kept_videos_are_listed_and_removed(client: ClientSession) -> None:
    """The one that was played last first, with what is here of each."""
    async with client.get("/cache") as answer:
        listed = await answer.json()
    assert [(one["id"], one["received"], one["complete"]) for one in listed["videos"]] == [
        ("a", 4000, True),
        ("b", 2500, False),
    ]
    assert (listed["limit"], listed["used"], listed["problem"]) == (10_000, 6500, None)
    for path, removed in (("/cache/b", 1), ("/cache/b", 0), ("/cache", 1), ("/cache", 0)):
        async with client.delete(path) as answer:
            assert (await answer.json()) == {"status": "success", "removed": removed}
    async with client.get("/cache") as answer:
        assert (await answer.json())["used"] == 0


async def test_a_folder_that_is_none_is_said(client: ClientSession, tmp_path: Path) -> None:
    async with client.delete("/cache"):
        (tmp_path / "library").rmdir()
        (tmp_path / "library").write_text("")
    async with client.get("/cache") as answer:
        assert (answer.status, (await answer.json())["code"]) == (507, "storage_unavailable")


async def test_health_and_metrics_have_the_cache(client: ClientSession) -> None:
    async with client.get("/health") as answer:
        assert (await answer.json())["checks"]["cache"] == {"status": "ok", "message": ""}
    async with client.get("/metrics") as answer:
        text = await answer.text()
    for line in (
        "cache_bytes 0.0",
        "cache_hits_total 0.0",
        "cache_misses_total 0.0",
        'check_available{check="cache"} 1.0',
    ):
        assert f"\ncast_agent_{line}\n" in text


async def test_the_command_lists_and_clears(client: ClientSession, capsys: pytest.CaptureFixture[str]) -> None:
    """As a table, or as JSON; one that is there in part says how much."""

    async def cache(*arguments: str) -> str:
        assert await asyncio.to_thread(main, ["cache", *arguments]) == 0
        return capsys.readouterr().out

    head, names, whole, part = (await cache()).splitlines()
    assert head == "6 kB of 10 kB are used."
    assert names.split() == ["ID", "TITLE", "SIZE", "HERE", "PLAYED", "LAST"]
    assert whole.split()[:6] == ["a", "Film", "a", "4", "kB", "all"]
    assert part.split()[:7] == ["b", "Film", "b", "5", "kB", "50", "%"]
    assert '"used": 6500' in await cache("--json")
    assert await cache("clear", "a") == "Removed: 1.\n"
    assert await cache("clear") == "Removed: 1.\n"
    assert (await asyncio.to_thread(main, ["cache", "list", "a"])) == 64
