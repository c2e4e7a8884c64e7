"""Keeps what is wanted on the screen, so that it comes back after a crash, a reboot or a power cut."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import Any

import structlog

from agent.casting.announcer import BY_PLAYER
from agent.casting.saved import Saved
from agent.casting.screen import ScreenWish
from agent.casting.tracker import StreamTracker
from agent.events.bus import Event, EventBus
from agent.host.clock import WallClock
from agent.persistence.session_file import Kept, KeptSession, KeptVolume, WantedFile, WantedFiles
from agent.types import SessionId
from agent.util.threads import in_thread
from cast_util.tasks import Supervisor
from cast_wire.kinds import EventKind

WRITER = "saver"
"""The task that writes the newest file."""

COALESCE_S = 0.2
"""A switch changes several things at once: one write for all of them, unless somebody waits for it."""

POSITION_EVERY_S = 30.0
"""Positions are written at most this often, so that an SD card lasts; a film loses at most as much after a crash."""

KEPT_TIMEOUT_S = 1.0
"""The longest wait of an answer for its write: 1 ms is usual. A disk that hangs must not silence the agent."""

DISK_TIMEOUT_S = 1.5
"""The longest wait for the disk at the start and at the end: an SD card takes some 0.1 s, a busy one a second. The
whole agent has 5 s for either."""

STABLE_AFTER_S = 30.0
"""A restore that got this far did not take the box down."""

RESTORES_ALLOWED = 3
"""The number of restores in a row, without ever getting STABLE_AFTER_S far, after which the wanted sessions are given
up."""

CLOCK_LOOK_S = 2.0
"""A clock that is set tells nobody before Python 3.13 (os.timerfd_create); a deadline is corrected this much later."""

log = structlog.get_logger(__name__)


class Saver:
    """Writes what the tracker wants whenever `bus` tells of a change, and gives it back after a restart.

    One task writes the newest file, the latest state of the tracker each time. A second follows it with the safe file,
    whose writes wait for the disk, as often as that allows.
    """

    def __init__(
        self,
        tracker: StreamTracker,
        screen: ScreenWish,
        *,
        bus: EventBus,
        folder: Path,
        restore: bool,
        supervisor: Supervisor | None = None,
    ) -> None:
        self._supervisor = supervisor or Supervisor()
        self._tracker = tracker
        self._screen = screen
        self._bus = bus
        self._folder = folder
        self._files = WantedFiles(folder)
        self._restore = restore
        self._clock = WallClock()
        self._restores = 0
        self._number = 0
        self._changes = 0
        """The number of changes so far; the newest file holds the first `_kept` of them."""
        self._kept = 0
        self._kept_more = asyncio.Condition()
        self._dirty = asyncio.Event()
        self._awaited = asyncio.Event()
        self._newest: Kept | None = None
        self._unsafe = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._failing: dict[WantedFile, str] = {}
        self._late = False

    async def start(self) -> None:
        """Restore the sessions, then store their changes. Never raises for the content of the disk."""
        reading = asyncio.ensure_future(self._read())
        await asyncio.wait({reading}, timeout=DISK_TIMEOUT_S)
        if not reading.done():
            log.error("session_file_read_failed", folder=str(self._folder), hint="Its disk does not answer.")
        elif kept := reading.result():
            await self._take_up(kept)
        self._bus.listen(self._heard)
        self._go_on(lambda: self._keep(reading), WRITER)
        self._go_on(self._secure, "saver-safe")

    async def stop(self) -> None:
        """Write the current sessions a last time. The tracker may end everything afterwards. Idempotent."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if tasks:
            self._restores = 0  # it was ended on purpose
            await self._put_both(self._now())
            await self._tell_kept(self._changes)

    @property
    def not_written(self) -> str:
        """The reason, in the words of the system, why the sessions are not on the disk; empty if they are, as far as is
        known."""
        return next(iter(self._failing.values()), "its disk does not answer" if self._late else "")

    async def kept(self) -> None:
        """Return when all that has changed so far would come back, or stay away, if the agent were killed now;
        after KEPT_TIMEOUT_S at most."""
        changes = self._changes
        if self._kept >= changes or not self._tasks or self._supervisor.is_paused(WRITER):
            return
        self._awaited.set()
        try:
            async with asyncio.timeout(KEPT_TIMEOUT_S), self._kept_more:
                await self._kept_more.wait_for(lambda: self._kept >= changes)
        except TimeoutError:
            (log.debug if self._late else log.warning)("session_file_delayed", folder=str(self._folder))
            self._late = True

    # --- after a restart ---

    async def _read(self) -> Kept | None:
        try:
            return await in_thread(self._files.read, name="saver")
        except Exception:  # whatever is on the disk: the box must play what comes next
            log.exception("session_file_read_failed", folder=str(self._folder))
            return None

    async def _take_up(self, kept: Kept) -> None:
        self._number = kept.number
        self._clock.was(kept.written_at)
        self._screen.restore(kept.screen_off)
        wanted = self._still_wanted(kept) if self._restore else []
        if wanted and kept.restores >= RESTORES_ALLOWED:
            log.error(
                "restore_given_up",
                tries=kept.restores,
                sessions=[saved.session_id for saved in wanted],
                hint="These sessions ended the agent each time. If you trust them, start them again by hand.",
            )
            wanted = []
        if wanted:
            self._restores = kept.restores + 1
            # Before it is tried: what takes the agent, or the box, down must be counted.
            self._number += 1
            await self._put_both(kept.model_copy(update={"restores": self._restores, "number": self._number}))
            self._go_on(self._become_stable, "saver-stable")
            if any(session.expires_at is not None for session in kept.sessions):
                self._go_on(lambda: self._watch_clock(kept), "saver-clock")
        self._tracker.restore(wanted, kept.volume.volume())

    def _still_wanted(self, kept: Kept) -> list[Saved]:
        wanted = [session.saved(now=self._time()) for session in kept.sessions]
        for saved in wanted:
            if saved.remaining is not None and saved.remaining <= 0:
                log.info("session_expired", session_id=saved.session_id)
        return [saved for saved in wanted if saved.remaining is None or saved.remaining > 0]

    async def _become_stable(self) -> None:
        await asyncio.sleep(STABLE_AFTER_S)
        self._restores = 0
        self._dirty.set()

    async def _watch_clock(self, kept: Kept) -> None:
        """Correct the ends of sessions once the clock has been set: the moment at which a session expires counts then,
        not the time it had left when the power went; but it never gets more than that time."""
        restored_at = time.monotonic()
        while True:
            await asyncio.sleep(CLOCK_LOOK_S)
            if not (step := self._clock.stepped()):
                continue
            log.warning("clock_stepped", by_s=round(step, 1))
            self._dirty.set()
            on_for = time.monotonic() - restored_at
            for session in kept.sessions:
                if (left := session.left(self._time())) is not None and session.remaining is not None:
                    self._tracker.expire_in(SessionId(session.session_id), min(left, session.remaining - on_for))

    def _time(self) -> float | None:
        """The time of the wall clock; None if it is not set."""
        return self._clock.at_least if self._clock.is_set else None

    # --- writing ---

    def _heard(self, event: Event) -> None:
        """Note that the wanted sessions have changed, unless the player changed them: that would wear the card out."""
        is_kept = event.session_id is not None or event.kind in (EventKind.VOLUME_CHANGED, EventKind.SCREEN_CHANGED)
        if is_kept and not BY_PLAYER.items() <= event.data.items():
            self._changes += 1
            self._dirty.set()

    async def _keep(self, reading: asyncio.Future[Kept | None]) -> None:
        if kept := await asyncio.shield(reading):
            self._number = max(self._number, kept.number)  # the count continues
        state = ""
        while True:
            with contextlib.suppress(TimeoutError):  # time for the positions
                async with asyncio.timeout(POSITION_EVERY_S):
                    await self._dirty.wait()
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(COALESCE_S):
                            await self._awaited.wait()
            self._dirty.clear()
            self._awaited.clear()
            changes = self._changes
            try:
                state = await self._keep_newest(state)
            except BaseException:
                self._dirty.set()  # it is still to be written, as soon as this is started anew
                raise
            finally:
                await self._tell_kept(changes)  # also after a failed write: no caller may wait for that

    async def _keep_newest(self, before: str) -> str:
        """Write what is wanted now, unless it is what was written before; return what was written, "" for nothing."""
        kept = self._now()
        state = kept.model_copy(update={"written_at": 0.0, "number": 0}).model_dump_json()
        if state == before:  # nothing plays on, nothing has changed: spare the card
            return state
        done = await self._put(self._files.newest, kept)
        self._newest = kept
        self._unsafe.set()
        return state if done else ""

    async def _secure(self) -> None:
        while True:
            await self._unsafe.wait()
            self._unsafe.clear()
            done = self._newest is None or await self._put(self._files.safe, self._newest)
            await asyncio.sleep(COALESCE_S if done else POSITION_EVERY_S)
            if not done:
                self._unsafe.set()

    async def _put_both(self, kept: Kept) -> None:
        try:
            async with asyncio.timeout(DISK_TIMEOUT_S):
                await asyncio.gather(*(self._put(file, kept) for file in (self._files.newest, self._files.safe)))
        except TimeoutError:
            log.warning("session_file_delayed", folder=str(self._folder))

    async def _put(self, file: WantedFile, kept: Kept) -> bool:
        try:
            await in_thread(partial(file.write, kept), name="saver")
        except (OSError, RuntimeError) as e:  # a RuntimeError: the system allows no more threads; that passes
            reason = (e.strerror if isinstance(e, OSError) else str(e)) or type(e).__name__
            if file not in self._failing:
                log.warning("session_file_write_failed", file=file.name, reason=reason)
            self._failing[file] = reason
            return False
        if file in self._failing:
            log.info("session_file_recovered", file=file.name)
        self._failing.pop(file, None)
        return True

    async def _tell_kept(self, changes: int) -> None:
        self._late = False
        async with self._kept_more:
            self._kept = changes
            self._kept_more.notify_all()

    def _now(self) -> Kept:
        self._number += 1
        return Kept(
            number=self._number,
            written_at=self._clock.at_least,
            restores=self._restores,
            volume=KeptVolume.of(self._tracker.volume),
            screen_off=self._screen.is_off,
            sessions=tuple(KeptSession.of(saved, now=self._time()) for saved in self._tracker.saved()),
        )

    def _go_on(self, work: Callable[[], Coroutine[Any, Any, None]], name: str) -> None:
        self._tasks.append(self._supervisor.start(work, name=name))
