"""Callers who ask the same at the same time share one look."""

from __future__ import annotations

import asyncio

import pytest

from central.core import shared as shared_module
from central.core.errors import OverloadedError
from central.core.shared import Shared


class Looks:
    """Questions that are answered when the test says so."""

    def __init__(self) -> None:
        self.shared: Shared[int] = Shared()
        self.begun: list[str] = []
        self.go_on = asyncio.Event()

    def ask(self, key: str) -> asyncio.Task[int]:
        async def answer() -> int:
            self.begun.append(key)
            number = len(self.begun)
            await self.go_on.wait()
            if key == "bad":
                raise ZeroDivisionError
            return number

        return asyncio.create_task(self.shared.ask(key, answer))


async def _settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_a_look_answers_all_who_asked_before_it_began() -> None:
    """Who asks while it is under way waits for the next one: no answer is older than its question."""
    looks = Looks()
    first = [looks.ask("list") for _ in range(3)]
    await _settled()
    later = [looks.ask("list") for _ in range(3)]
    await _settled()
    assert looks.begun == ["list"]
    looks.go_on.set()
    assert await asyncio.gather(*first) == [1] * 3
    assert await asyncio.gather(*later) == [2] * 3


async def test_another_question_does_not_wait() -> None:
    """A slow search holds up nobody who asks something else; an error is that of its question alone."""
    looks = Looks()
    asked = [looks.ask(key) for key in ("slow", "bad", "quick")]
    await _settled()
    assert looks.begun == ["slow", "bad", "quick"]
    looks.go_on.set()
    slow, bad, quick = await asyncio.gather(*asked, return_exceptions=True)
    assert (slow, quick) == (1, 3)
    assert isinstance(bad, ZeroDivisionError)


async def test_a_caller_who_goes_leaves_the_look_to_the_others() -> None:
    """Nothing is left of a question when all its callers have gone."""
    looks = Looks()
    gone, stays = looks.ask("list"), looks.ask("list")
    await _settled()
    gone.cancel()
    looks.go_on.set()
    assert await stays == 1
    with pytest.raises(asyncio.CancelledError):
        await gone
    assert await looks.ask("list") == 2


async def test_too_many_callers_are_sent_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each that waits holds memory."""
    monkeypatch.setattr(shared_module, "QUEUE_LIMIT", 2)
    looks = Looks()
    asked = [looks.ask("list") for _ in range(3)]
    await _settled()
    looks.go_on.set()
    one, two, three = await asyncio.gather(*asked, return_exceptions=True)
    assert (one, two) == (1, 1)
    assert isinstance(three, OverloadedError)
    assert await looks.ask("list") == 2
