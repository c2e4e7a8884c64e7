"""The recent addresses, at their limits."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from structlog.testing import capture_logs

from agent.casting.entries import NotKept
from agent.casting.recent import RECENT_LIMIT, Recent
from agent.events.bus import QUEUE_LIMIT, EventBus
from agent.page_options import PageOptions, PageTurn
from agent.persistence.entry_file import EntryFile
from agent.types import Quality, SessionId, ShownAs, StartRequest
from cast_wire.kinds import EventKind
from tests.support.tools import until


def request(url: str) -> StartRequest:
    return StartRequest(url=url, quality=Quality.AUTO)


async def test_the_oldest_goes_first(tmp_path: Path) -> None:
    recent = Recent(EntryFile(tmp_path / "recent.json"))
    for number in range(RECENT_LIMIT + 5):
        await recent.note(request(f"http://film/{number}"))
    kept = await Recent(EntryFile(tmp_path / "recent.json")).all()
    assert [one.url for one in kept] == [f"http://film/{number}" for number in range(RECENT_LIMIT + 4, 4, -1)]


async def test_a_page_is_a_page_again(tmp_path: Path) -> None:
    turns = (PageTurn("http://panel/next"), PageTurn("http://panel/last", 10.0))
    options = PageOptions(zoom=2.0, css="h1 {color: red}", then=turns)
    page = replace(request("http://panel/"), shown_as=ShownAs.PAGE, page=options)
    await Recent(EntryFile(tmp_path / "recent.json")).note(page)
    recent = Recent(EntryFile(tmp_path / "recent.json"))
    [played] = await recent.all()
    wish = await recent.wish(played.id)
    assert (wish.shown_as, wish.page) == (ShownAs.PAGE, page.page)


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


async def test_a_disk_that_was_too_slow_costs_no_more_than_what_it_missed() -> None:
    """The disk misses more events than wait for one follower; the next first frame is noted."""
    disk = asyncio.Event()

    class Slow(NotKept):
        async def write(self, entries: Sequence[Mapping[str, Any]]) -> None:
            await disk.wait()
            await super().write(entries)

    bus, recent, played = EventBus(), Recent(Slow()), [Session(f"{number}") for number in range(2)]
    following = asyncio.create_task(recent.follow(bus, lambda: played))
    await asyncio.sleep(0)
    bus.publish(EventKind.FIRST_FRAME, SessionId("0"))
    await asyncio.sleep(0)
    with capture_logs() as logged:
        for _ in range(QUEUE_LIMIT + 1):
            bus.publish(EventKind.VOLUME_CHANGED)
        disk.set()
        await until(lambda: logged, what="the gap to be told")
    bus.publish(EventKind.FIRST_FRAME, SessionId("1"))
    async with asyncio.timeout(5):
        while [one.url for one in await recent.all()] != ["http://film/1", "http://film/0"]:
            await asyncio.sleep(0.01)
    following.cancel()
    assert [line["event"] for line in logged] == ["recent_write_failed"]


class Session:
    def __init__(self, session_id: str) -> None:
        self.session_id = SessionId(session_id)
        self.request = request(f"http://film/{session_id}")
