"""The outbox as the event loop sees it: nothing here waits for the disk, which has a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import replace
from functools import partial
from queue import Empty, SimpleQueue
from typing import Final, TypeVar

import structlog

from agent.events.event import Occurrence
from agent.events.timestamp import Timestamp
from agent.reporting.outbox.database import OutboxFile
from agent.reporting.outbox.reader import Batch, OutboxStatus, Reader
from agent.reporting.outbox.spool import Spool
from cast_wire.kinds import EventKind

T = TypeVar("T")

PENDING_LIMIT: Final = 1_000
"""Occurrences that may wait for the thread. A slow card takes 0.3 s for a commit, and all that waits is one commit, so
more than some wait only while the disk hangs."""

COLLECT_S: Final = 0.05
"""The delay from an occurrence to the work of its commit, which must not take the processor from the answer that
somebody waits for; all parts of a switch are in one commit then. Only a power cut can lose it meanwhile."""

LOOK_AGAIN_S: Final = 30.0
"""The interval at which a reader looks without a notification: a disk that was full may be writable again, and events
may have become too old."""

MISTAKE: Final = "Events cannot be stored because of a bug in the agent; its log has the details. Please report it."

log = structlog.get_logger(__name__)

_Work = Callable[[], None]


class Outbox:
    """Owns the thread and the file, which nobody else may touch. Until it is in the file what happened is in the
    spool, which outlives a kill."""

    def __init__(self, file: OutboxFile, spool: Spool) -> None:
        self._file = file
        self._spool = spool
        self._queue: SimpleQueue[Occurrence | _Work | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._news: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)
        """The signal of each reader that something was kept since it looked."""
        self._taken = self._done = 0
        """Occurrences; the first counted by the loop alone, the second by the thread alone. These are their numbers
        in the spool, too."""
        self._overflow: Counter[EventKind] = Counter()
        self._overflow_since: Timestamp | None = None
        self._collected: list[Occurrence] = []
        """The occurrences that are counted as taken, and not handed to the thread yet."""
        self._timer: asyncio.TimerHandle | None = None
        self._problem: str | None = None
        """Written by the thread alone: why what happened last could not be kept."""
        self._loop = asyncio.get_running_loop()

    @property
    def status(self) -> OutboxStatus:
        """The status, including the events that wait for the disk."""
        done, file = self._done, self._file.status  # replaced as a whole by the thread, before it counts
        file = replace(file, problem=file.problem or self._problem)
        if (waiting := self._taken - done) == 0:
            return file
        return replace(file, queued={name: queued + waiting for name, queued in file.queued.items()})

    def start(self, beginning: Occurrence) -> None:
        """Begin to store events, with those that earlier runs could not write."""
        left = self._spool.open()
        self._put(lambda: self._file.begin(left))
        self.record(beginning)
        # A daemon: a disk that hangs must not keep the process from ending.
        self._thread = threading.Thread(target=self._run, name="outbox", daemon=True)
        self._thread.start()

    def record(self, occurrence: Occurrence) -> None:
        """Record an event, if it is new. Takes microseconds; a kill cannot undo it afterwards."""
        if self._taken - self._done >= PENDING_LIMIT:
            self._overflow[occurrence.kind] += 1
            self._overflow_since = self._overflow_since or occurrence.moment
            return
        if self._overflow_since is not None:
            for kind, count in self._overflow.items():
                self._put(partial(self._file.lose, count, "disk", self._overflow_since, kind))
            self._overflow.clear()
            self._overflow_since = None
        self._taken += 1
        self._collected.append(occurrence)
        if not self._spool.append(self._taken, occurrence):
            self._hand_over()
        elif self._timer is None:
            self._timer = self._loop.call_later(COLLECT_S, self._hand_over)

    async def next(self, reader: str, limit: int) -> Batch:
        """The next events for a reader, in order; empty if there are none."""
        self._news[reader].clear()
        return await self._ask(lambda: self._file.next(reader, limit))

    async def settle(self, batch: Batch, count: int, refused: Mapping[int, str]) -> None:
        """See OutboxFile.settle."""
        await self._ask(lambda: self._file.settle(batch, count, refused))

    def follow(self, readers: Mapping[str, Reader]) -> None:
        """See OutboxFile.follow. Returns at once; earlier events are kept for the readers before."""
        self._spool.follow(readers)
        self._put(lambda: self._file.follow(readers))

    async def wait(self, reader: str) -> None:
        """Return when something may have come since `next` found nothing for this reader."""
        try:
            async with asyncio.timeout(LOOK_AGAIN_S):
                await self._news[reader].wait()
        except TimeoutError:
            return

    async def stop(self, timeout_s: float) -> None:
        """Store the remaining events, if the disk is fast enough. Idempotent."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        done = asyncio.Event()
        self._put(self._file.close)
        self._put(lambda: self._tell(done.set))
        self._put(None)
        try:
            async with asyncio.timeout(timeout_s):
                await done.wait()
        except TimeoutError:
            log.warning("outbox_stalled", pending=self._taken - self._done)
        self._spool.close()

    # --- the thread ---

    def _run(self) -> None:
        occurrences: list[Occurrence] = []
        while True:
            try:
                item = self._queue.get_nowait() if occurrences else self._queue.get()
            except Empty:
                item = _flush
            if isinstance(item, Occurrence):
                occurrences.append(item)
                continue
            if occurrences:  # all that came meanwhile is one commit
                number = self._done + len(occurrences)
                done = self._do(lambda: self._file.record(occurrences, number))  # noqa: B023 - before the next round
                self._problem = None if done else MISTAKE
                self._done, occurrences = number, []
                self._tell(self._have_kept)
            if item is None:
                return
            self._do(item)

    def _do(self, work: _Work) -> bool:
        """Do a piece of work. Return False if it failed."""
        try:
            work()
        except Exception:  # a mistake of ours must not end the thread
            log.exception("outbox_crashed")
            return False
        return True

    def _tell(self, word: Callable[[], None]) -> None:
        try:
            self._loop.call_soon_threadsafe(word)
        except RuntimeError:
            return  # the loop is closed, so no caller waits

    # --- helpers ---

    def _put(self, item: _Work | None) -> None:
        """Queue work for the thread, after all earlier events."""
        self._hand_over()
        self._queue.put(item)

    def _hand_over(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for occurrence in self._collected:
            self._queue.put(occurrence)
        self._collected = []

    def _have_kept(self) -> None:
        for news in self._news.values():
            news.set()
        if self._file.kept_up_to == self._taken:
            self._spool.empty()

    async def _ask(self, question: Callable[[], T]) -> T:
        answer: Future[T] = Future()
        answer.set_running_or_notify_cancel()  # the caller may leave; the thread continues

        def work() -> None:
            try:
                answer.set_result(question())
            except BaseException as error:
                answer.set_exception(error)
                raise

        self._put(work)
        return await asyncio.wrap_future(answer)


def _flush() -> None:
    """Store the collected events first."""
