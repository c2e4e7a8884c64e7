"""The age at which a browser is replaced."""

from __future__ import annotations

import asyncio
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from agent.player.chromium.age import GROWN_BY, LOOK_EVERY_S, NEVER, bytes_of, until_old
from tests.support.virtual_time import in_virtual_time

MIDNIGHT = datetime(2026, 1, 1, tzinfo=UTC)


class Clock:
    """Local time that goes on as the loop does, from 23:00 on."""

    def __init__(self) -> None:
        self._began = asyncio.get_running_loop().time()

    def __call__(self) -> datetime:
        since = asyncio.get_running_loop().time() - self._began
        return MIDNIGHT - timedelta(hours=1) + timedelta(seconds=since)


@in_virtual_time
async def test_a_page_is_renewed_once_a_night() -> None:
    """It is renewed at the next such time of day, today or tomorrow."""
    for at, hours in (("23:30", 0.5), ("04:00", 5.0), ("22:00", 23.0)):
        clock = Clock()
        assert await until_old(at, lambda: 0, now=clock) == "night"
        assert timedelta(0) <= clock() - MIDNIGHT + timedelta(hours=1) - timedelta(hours=hours) <= timedelta(minutes=1)


@in_virtual_time
async def test_a_page_that_grows_is_renewed() -> None:
    """The growth is larger than its usual ups and downs; how much it took at first does not count."""
    began = asyncio.get_running_loop().time()

    def used() -> int:
        since = asyncio.get_running_loop().time() - began
        return 10 * GROWN_BY + int(GROWN_BY * since / 3600)

    assert await until_old(NEVER, used) == "memory"
    assert 3600 < asyncio.get_running_loop().time() - began <= 3600 + 3 * LOOK_EVERY_S


@in_virtual_time
async def test_a_page_that_does_not_grow_stays() -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(7 * 86400):
            await until_old(NEVER, lambda: GROWN_BY)


def test_what_processes_share_is_not_counted_twice(tmp_path: Path) -> None:
    """One that has ended meanwhile has nothing."""
    for pid, text in ((1, "900 500 200 1 0 1 0"), (2, "900 300 300 1 0 1 0")):
        (tmp_path / str(pid)).mkdir()
        (tmp_path / str(pid) / "statm").write_text(text)
    assert bytes_of([1, 2, 3], proc=tmp_path) == 300 * os.sysconf("SC_PAGE_SIZE")
    assert bytes_of([os.getpid()]) > 1_000_000
