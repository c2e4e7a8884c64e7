"""What was played lately, at its limits."""

from __future__ import annotations

from pathlib import Path

from agent.casting.recent import RECENT_LIMIT, Recent
from agent.persistence.entry_file import EntryFile
from agent.types import Quality, StartRequest


def request(url: str) -> StartRequest:
    return StartRequest(url=url, quality=Quality.AUTO)


async def test_the_oldest_goes_first(tmp_path: Path) -> None:
    recent = Recent(EntryFile(tmp_path / "recent.json"))
    for number in range(RECENT_LIMIT + 5):
        await recent.note(request(f"http://film/{number}"))
    kept = await Recent(EntryFile(tmp_path / "recent.json")).all()
    assert [one.url for one in kept] == [f"http://film/{number}" for number in range(RECENT_LIMIT + 4, 4, -1)]


async def test_switched_off_it_keeps_nothing_and_forgets_what_it_kept(tmp_path: Path) -> None:
    enabled = True
    recent = Recent(EntryFile(tmp_path / "recent.json"), enabled=lambda: enabled)
    await recent.note(request("http://me:hunter2@film/one"))
    assert "hunter2" in (tmp_path / "recent.json").read_text()
    enabled = False
    assert await recent.all() == ()
    await recent.note(request("http://me:hunter2@film/two"))
    await recent.look()
    assert "hunter2" not in (tmp_path / "recent.json").read_text()


async def test_what_is_no_address_on_the_disk_is_passed_over(tmp_path: Path) -> None:
    good = '{"id": "1", "url": "http://film/", "title": null, "refresh": null, "played_at": "2026-01-01T00:00:00Z"}'
    wrong = (
        '{"id": 2, "url": "http://film/"}',
        good.replace('"1"', '"3"').replace("Z", ""),
        good.replace("null", "-1"),
    )
    entries = ", ".join((good, *wrong))
    (tmp_path / "recent.json").write_text(f'{{"version": 1, "entries": [{entries}]}}')
    assert [one.id for one in await Recent(EntryFile(tmp_path / "recent.json")).all()] == ["1"]
