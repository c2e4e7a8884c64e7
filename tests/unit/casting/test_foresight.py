"""The streams that are expected to be started: presets, and those that were played within the last day."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from agent.casting.foresight import Foresight
from agent.casting.presets import Presets
from agent.casting.recent import Recent
from agent.events.bus import QUEUE_LIMIT, EventBus
from agent.persistence.entry_file import EntryFile
from agent.types import MediaType, Quality, StartRequest
from cast_wire.kinds import EventKind
from tests.support.fakes import FakePlayers
from tests.support.tools import until


class AnyUrl:
    async def check(self, url: str) -> str:
        return url


def entries(*items: dict[str, Any]) -> str:
    return json.dumps({"version": 1, "entries": items})


def played(url: str, *, days_ago: float) -> dict[str, Any]:
    at = datetime.now(UTC) - timedelta(days=days_ago)
    return {"id": url, "url": url, "played_at": at.isoformat(timespec="seconds")}


async def test_presets_and_the_last_day(tmp_path: Path) -> None:
    (tmp_path / "recent").write_text(
        entries(played("rtsp://lately", days_ago=0.9), played("rtsp://long-ago", days_ago=1.1))
    )
    configured = [{"id": "door", "url": "rtsp://door"}, {"id": "broken", "ur": ""}, {"id": "joined", "code": "K7QF2M"}]
    presets = Presets(EntryFile(tmp_path / "presets"), configured=lambda: configured, policy=AnyUrl())
    await presets.look()
    players = FakePlayers()
    await Foresight(presets, Recent(EntryFile(tmp_path / "recent")), players=players).look()
    assert players.expected == ["rtsp://door", "rtsp://lately"]


async def test_pages_are_expected_as_pages(tmp_path: Path) -> None:
    """Their address alone does not tell."""
    page = played("http://lately", days_ago=0.1) | {"shown_as": "page"}
    (tmp_path / "recent").write_text(entries(page))
    configured = [{"id": "wall", "url": "http://wall", "as": "page"}, {"id": "film", "url": "http://film"}]
    presets = Presets(EntryFile(tmp_path / "presets"), configured=lambda: configured, policy=AnyUrl())
    await presets.look()
    players = FakePlayers()
    await Foresight(presets, Recent(EntryFile(tmp_path / "recent")), players=players).look()
    assert players.expected_kinds == [MediaType.WEB, None, MediaType.WEB]


async def test_new_presets_and_what_is_played_count_from_then_on(tmp_path: Path) -> None:
    """A new preset is noticed even if so much happens meanwhile that events are lost."""
    bus, players = EventBus(), FakePlayers()
    presets = Presets(EntryFile(tmp_path / "presets"), policy=AnyUrl(), emit=bus.publish)
    recent = Recent(EntryFile(tmp_path / "recent"), emit=bus.publish)
    following = asyncio.create_task(Foresight(presets, recent, players=players).follow(bus))
    await asyncio.sleep(0)
    await recent.note(StartRequest(url="rtsp://played", quality=Quality.AUTO))
    await until(lambda: "rtsp://played" in players.expected)
    await presets.add({"id": "door", "url": "rtsp://door"})
    await until(lambda: "rtsp://door" in players.expected)
    players.expected.clear()
    for _ in range(QUEUE_LIMIT + 1):
        bus.publish(EventKind.VOLUME_CHANGED)
    await until(lambda: "rtsp://door" in players.expected)
    following.cancel()


async def test_cameras_of_presets_are_kept_ready(tmp_path: Path) -> None:
    """Those with `keep_ready` alone, each once; a preset of which it cannot be is broken, and says so."""
    configured: list[dict[str, Any]] = [
        {"id": "door", "url": "rtsp://door", "keep_ready": True},
        {"id": "door-loud", "url": "rtsp://door", "keep_ready": True, "volume": 1},
        {"id": "garden", "url": "rtsps://garden", "keep_ready": True},
        {"id": "yard", "url": "rtsp://yard"},
        {"id": "tv", "url": "http://tv/index.m3u8", "keep_ready": True},
        {"id": "listens", "url": "udp://@:5004", "keep_ready": True},
        {"id": "page", "url": "http://page", "as": "page", "keep_ready": True},
    ]
    presets = Presets(EntryFile(tmp_path / "presets"), configured=lambda: configured, policy=AnyUrl())
    await presets.look()
    kept: list[Mapping[str, str]] = []
    recent = Recent(EntryFile(tmp_path / "recent"))
    players = FakePlayers()
    await Foresight(presets, recent, players=players, keep_ready=kept.append).look()
    assert [list(cameras.items()) for cameras in kept] == [
        [("rtsp://door", "door"), ("rtsps://garden", "garden"), ("http://tv/index.m3u8", "tv")]
    ]
    assert "http://tv/index.m3u8" in players.expected_ready
    assert "rtsp://yard" not in players.expected_ready
    problems = {preset.id: preset.problem for preset in (await presets.all()).presets if preset.problem}
    assert problems.keys() == {"listens", "page"}
    assert all("give an rtsp, rtsps, http or https address" in (problem or "") for problem in problems.values())
