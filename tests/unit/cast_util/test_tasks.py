"""Long-lived tasks that fail: they are restarted, reported, and forgiven. Time is virtual."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from cast_util.health import Check
from cast_util.tasks import STEADY_S, Supervisor
from tests.support.virtual_time import VirtualTimeLoop


def run(test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        runner.run(test())


class Work:
    """Fails as often as it is told, then goes on for ever."""

    def __init__(self, failures: int, error: Exception | None = None) -> None:
        self.failures = failures
        self.error = error or RuntimeError("no such luck, http://user:secret@host/")
        self.began: list[float] = []

    async def __call__(self) -> None:
        self.began.append(asyncio.get_running_loop().time())
        if len(self.began) <= self.failures:
            raise self.error
        await asyncio.Event().wait()


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def test_a_task_that_fails_is_restarted_after_growing_pauses() -> None:
    """The pauses grow to half a minute and no further, however often it fails."""

    async def test() -> None:
        work, supervisor = Work(failures=1_000_000), Supervisor()
        task = supervisor.start(work, name="work")
        await asyncio.sleep(600)
        pauses = [round(after - before, 3) for before, after in zip(work.began, work.began[1:], strict=False)]
        assert pauses[:7] == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0]
        assert set(pauses[7:]) == {30.0}
        await _end(task)

    run(test)


def test_a_failing_task_is_named_until_it_has_run_for_a_while() -> None:
    """Its name and the kind of failure are told, its text is not; and a task that runs on is well again."""

    async def test() -> None:
        work, supervisor = Work(failures=3), Supervisor()
        assert supervisor.health == Check()
        task = supervisor.start(work, name="saver")
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert supervisor.is_paused("saver")
        health = supervisor.health
        assert not health.available
        assert "saver (RuntimeError)" in health.message
        assert "secret" not in health.message
        await asyncio.sleep(0.5 + 1.0 + 2.0 + 1.0)
        assert (len(work.began), supervisor.is_paused("saver")) == (4, False)
        assert not supervisor.health.available, "it may fail again at any moment"
        await asyncio.sleep(STEADY_S)
        assert supervisor.health == Check()
        await _end(task)

    run(test)


def test_what_the_system_refuses_is_told_in_its_words() -> None:
    """Of an OSError people are told what the system says."""

    async def test() -> None:
        supervisor = Supervisor()
        task = supervisor.start(Work(1, OSError(24, "Too many open files")), name="stage")
        await asyncio.sleep(0.1)
        assert "stage (Too many open files)" in supervisor.health.message
        await _end(task)
        assert supervisor.health == Check(), "what was ended on purpose does not fail"

    run(test)


def test_a_cancellation_by_nobody_is_a_failure() -> None:
    """A future that a task waits for may be cancelled, and the task with it: nobody ended it, so it goes on."""

    async def test() -> None:
        began = []

        async def wait_for_another() -> None:
            began.append(1)
            other = asyncio.get_running_loop().create_future()
            if len(began) == 1:
                other.cancel()
            await other

        supervisor = Supervisor()
        task = supervisor.start(wait_for_another, name="work")
        await asyncio.sleep(0.1)
        assert "work (CancelledError)" in supervisor.health.message
        await asyncio.sleep(1.0)
        assert len(began) == 2
        await _end(task)
        assert task.cancelled(), "it is still one that can be ended"

    run(test)


def test_a_task_that_returns_is_over() -> None:
    """Not everything goes on for ever: what returns is not restarted."""

    async def test() -> None:
        calls = []

        async def once() -> None:
            calls.append(1)

        await Supervisor().start(once, name="once")
        await asyncio.sleep(60)
        assert calls == [1]

    run(test)
