"""Threads for what may hang: kept for what comes next, few, and never waited for."""

from __future__ import annotations

import threading

import pytest

from agent.util import threads as threads_module
from agent.util.threads import IDLE_LIMIT, Threads, in_background, in_thread
from tests.support.tools import wait_until


async def test_what_comes_next_needs_no_new_thread() -> None:
    """Much that is done one after another is done by the threads that are there."""
    threads = {await in_thread(threading.current_thread) for _ in range(50)}
    assert threading.current_thread() not in threads
    assert len(threads) <= 2, "one may not be idle yet when the next thing comes"


async def test_what_hangs_holds_up_nothing_else() -> None:
    """Each thing has a thread of its own; after many at once few threads are kept."""
    before, mended = threading.active_count(), threading.Event()
    hanging = [in_background(lambda: mended.wait(10), name="hangs") for _ in range(IDLE_LIMIT + 4)]
    assert await in_thread(lambda: "done") == "done"
    assert not any(one.done() for one in hanging)
    mended.set()
    wait_until(lambda: threading.active_count() <= before + IDLE_LIMIT, timeout_s=5, what="the other threads to end")
    assert all(one.result(timeout=5) for one in hanging)


async def test_an_error_is_raised_where_it_is_waited_for() -> None:
    """The thread does what comes next all the same."""
    with pytest.raises(ZeroDivisionError):
        await in_thread(lambda: 1 / 0)
    assert await in_thread(lambda: 1) == 1


async def test_a_system_without_threads_is_told_of_and_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread that could not be started takes no place."""
    threads = Threads("looks", limit=1)
    with monkeypatch.context() as without:
        without.setattr(threads_module, "_idle", [])
        without.setattr(threading.Thread, "start", _no_thread)
        for _ in range(3):
            with pytest.raises(RuntimeError, match="can't start new thread"):
                await threads.call(lambda: 1, timeout_s=5)
    assert await threads.call(lambda: 1, timeout_s=5) == 1


def _no_thread(thread: threading.Thread) -> None:
    raise RuntimeError("can't start new thread")
