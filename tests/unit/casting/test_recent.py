"""The recent addresses, at their limits."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from agent.casting.entries import NotKept
from agent.casting.recent import RECENT_LIMIT, Recent
from agent.events.bus import EventBus
from agent.page_options import PageOptions, PageTurn
from agent.persistence.entry_file import EntryFile
from agent.types import Quality, SessionId, ShownAs, StartRequest
from cast_wire.kinds import EventKind


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


async def test_what_is_replaced_while_the_disk_is_slow_is_recorded_too(tmp_path: Path) -> None:
    """The disk writes the one before, and the stream is gone when it is done; more than are kept are not remembered."""
    disk = asyncio.Event()

    class Slow(NotKept):
        async def write(self, entries: Sequence[Mapping[str, Any]]) -> None:
            await disk.wait()
            await super().write(entries)

    bus, recent, on = EventBus(), Recent(Slow()), list[Session]()
    recent.listen(bus, lambda: on)
    following = asyncio.create_task(recent.follow())
    for number in range(RECENT_LIMIT + 5):
        on[:] = [Session(str(number))]
        bus.publish(EventKind.FIRST_FRAME, on[0].session_id)
        bus.publish(EventKind.VOLUME_CHANGED)
        await asyncio.sleep(0)
    disk.set()
    async with asyncio.timeout(5):
        while len(await recent.all()) < RECENT_LIMIT or (await recent.all())[0].url != f"http://film/{number}":
            await asyncio.sleep(0.01)
    following.cancel()
    kept = [one.url for one in await recent.all()]
    assert kept == [f"http://film/{number}" for number in range(RECENT_LIMIT + 4, 4, -1)]


class Session:
    def __init__(self, session_id: str) -> None:
        self.session_id = SessionId(session_id)
        self.request = request(f"http://film/{session_id}")
