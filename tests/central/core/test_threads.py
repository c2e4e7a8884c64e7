"""Work that is done in a thread."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import BinaryIO

import pytest

from central.core.threads import open_in_thread


@pytest.mark.parametrize("what", ["the caller", "the caller, twice", "every task"])
async def test_a_file_is_closed_when_its_caller_is_cancelled_meanwhile(tmp_path: Path, what: str) -> None:
    """Its lock would be there until somebody tidies up. Every task is cancelled when the program ends."""
    opened: list[BinaryIO] = []
    go_on = threading.Event()

    def take() -> BinaryIO:
        go_on.wait()
        opened.append((tmp_path / "file").open("w+b"))
        return opened[0]

    async def hold() -> None:
        async with open_in_thread(take):
            pytest.fail("it was cancelled")

    before = asyncio.all_tasks()
    holding = asyncio.create_task(hold())
    await asyncio.sleep(0)
    for _ in range(2 if what.endswith("twice") else 1):
        for task in asyncio.all_tasks() - before if what == "every task" else (holding,):
            task.cancel()
        for _ in range(3):  # until the cancellation has come to where it waits
            await asyncio.sleep(0)
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await holding
    assert opened[0].closed
