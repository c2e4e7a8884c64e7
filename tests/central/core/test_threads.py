"""Work that is done in a thread."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import BinaryIO

import pytest

from central.core.threads import open_in_thread


async def test_a_file_is_closed_when_its_caller_is_cancelled_meanwhile(tmp_path: Path) -> None:
    """Its lock would be there until somebody tidies up."""
    opened: list[BinaryIO] = []
    go_on = threading.Event()

    def take() -> BinaryIO:
        go_on.wait()
        opened.append((tmp_path / "file").open("w+b"))
        return opened[0]

    async def hold() -> None:
        async with open_in_thread(take):
            pytest.fail("it was cancelled")

    holding = asyncio.create_task(hold())
    await asyncio.sleep(0)
    holding.cancel()
    await asyncio.sleep(0)
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await holding
    assert opened[0].closed
