"""The daemon's end of one player process: hearing it, noticing that it hangs or died, killing it."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any, Self, TypeVar

import structlog

from agent.errors import AgentError, DisplayRefusedError, MediaError, PlayerTimeoutError, PlayerUnavailableError
from agent.media.redaction import redact
from agent.player.base import Adopt, KillReason, Media, Opened, Report
from agent.player.confine.display import NOT_OPENED
from agent.player.spawn import Child, spawn
from agent.player.tally import Tally
from agent.util.futures import mark_seen, new_future, reject, resolve

PING_AFTER_S = 2.0
"""Silence after which a player is asked whether it is there. One that plays reports four times a second."""

PONG_TIMEOUT_S = 3.0
"""Calls of libVLC that the player makes take 5-50 ms on a busy Raspberry Pi; 3 s is a hang."""

DONE_TIMEOUT_S = 2.0
"""The longest wait for opening or closing an audio device: 150 ms is usual, 1 s if a sound server has to wake up."""

HELLO_TIMEOUT_S = 20.0
"""Python and libVLC from a cold SD card, while everything else starts too; 0.1 s warm."""

_STDERR_LINES = 12

log = structlog.get_logger(__name__)
T = TypeVar("T")


class ChildPlayer(ABC):
    """The common base of the player processes of every engine: spawning, messages, liveness and killing."""

    def __init__(self, child: Child, tally: Tally) -> None:
        self._child = child
        self._tally = tally
        self._progress = Report()
        self._greeted: asyncio.Future[None] = new_future()
        self._opened: asyncio.Future[Opened] = new_future()
        self._finished: asyncio.Future[None] = new_future()
        self._gone: asyncio.Future[AgentError] = new_future()
        self._last_words: deque[str] = deque(maxlen=_STDERR_LINES)
        self._ending: asyncio.Task[None] | None = None
        self._heard = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._adopt: Adopt | None = None

    @classmethod
    async def spawn(
        cls,
        command: Sequence[str],
        *,
        environment: Mapping[str, str],
        tally: Tally | None = None,
        adopt: Adopt | None = None,
    ) -> Self:
        """Start `command`, told of its end of the socket pair. `tally` has its counts, and its end. `adopt` is for an
        engine that opens windows of its own; without it that shows nothing.

        Raises PlayerUnavailableError when it cannot be started.
        """
        player = cls(await spawn(lambda fd: cls._complete(command, fd), environment=environment), tally or Tally())
        player._adopt = adopt
        player._tally.began(player)
        try:
            for name, coroutine in (
                ("reports", player._read_lines()),
                ("stderr", player._read_stderr()),
                ("death", player._watch_death()),
                ("silence", player._watch_silence()),
            ):
                player._keep(coroutine, name)
            await player._begin()
        except BaseException:
            await player.kill(KillReason.UNFIT)
            raise
        return player

    @property
    def pid(self) -> int:
        return self._child.process.pid

    @property
    def progress(self) -> Report:
        return self._progress

    async def greeted(self) -> None:
        """Wait until the process has said its version. Raises PlayerUnavailableError, PlayerTimeoutError."""
        await self._unless_gone(self._greeted)

    async def opened(self) -> Opened:
        return await self._unless_gone(self._opened)

    async def finished(self) -> None:
        await self._unless_gone(self._finished)

    async def go_to(self, media: Media) -> bool:
        return False

    async def prepare_sound(self) -> None:
        return  # most are heard soon enough

    async def outdated(self) -> None:
        await asyncio.Event().wait()

    async def gone(self) -> AgentError:
        """Wait until the process hangs or is dead; tells why."""
        return await asyncio.shield(self._gone)

    async def kill(self, why: KillReason) -> None:
        if self._ending is None:
            self._ending = asyncio.create_task(self._end(self._known(why)), name=f"player-{self.pid}-end")
        await asyncio.shield(self._ending)  # the end continues if the caller is cancelled

    @property
    @abstractmethod
    def engine(self) -> str: ...

    @property
    @abstractmethod
    def version(self) -> str: ...

    @property
    @abstractmethod
    def features(self) -> Mapping[str, bool | str]: ...

    @abstractmethod
    async def warm(self, xid: int, *, timeout_s: float) -> bool:
        """Get ready to play, with the help of window `xid`; tells whether something was shown in it.

        Raises PlayerTimeoutError, PlayerUnavailableError.
        """

    @abstractmethod
    async def load(self, media: Media, xid: int) -> None: ...

    @abstractmethod
    async def set_sound(self, on: bool) -> None: ...

    @abstractmethod
    async def set_volume(self, volume: float, muted: bool) -> None: ...

    @abstractmethod
    async def pause(self, on: bool) -> None: ...

    @abstractmethod
    async def seek(self, position: float) -> None: ...

    @staticmethod
    @abstractmethod
    def _complete(command: Sequence[str], fd: int) -> list[str]:
        """The command with the descriptor that is its end of the socket pair."""

    @abstractmethod
    async def _begin(self) -> None:
        """The first exchange. Raises PlayerUnavailableError when the process is not fit for use."""

    @abstractmethod
    def _hear(self, line: bytes) -> None:
        """Process one line. Raises ValueError for an invalid one."""

    @abstractmethod
    def _ping(self) -> None:
        """Ask for any answer, from the thread that hangs when the engine hangs."""

    async def _read_line(self) -> bytes:
        """The next line of the process; empty at its end. Raises ValueError for a line that is too long."""
        return await self._child.reader.readline()

    async def _clean_up(self) -> None:
        """Clean up after the process has gone. Bounded; never raises."""
        await self._child.close()

    def _keep(self, coroutine: Coroutine[Any, Any, None], name: str) -> None:
        self._tasks.append(asyncio.create_task(self._or_gone(coroutine), name=f"player-{self.pid}-{name}"))

    async def _or_gone(self, work: Coroutine[Any, Any, None]) -> None:
        """Give the process up if the task that watches it fails: its state would be unknown."""
        try:
            await work
        except Exception as error:
            if not self._gone.done():  # nothing can be told to it any more
                log.exception("player_watch_failed", pid=self.pid)
                self._is_gone(PlayerUnavailableError(f"The player process is not watched any more: {error!r}."))

    def _known(self, why: KillReason) -> KillReason:
        """The reason for the end. The exit of the process takes precedence."""
        if not self._gone.done():
            return why
        if isinstance(self._gone.result(), PlayerTimeoutError):
            return KillReason.HUNG
        return KillReason.UNFIT if self._child.process.returncode is None else KillReason.DIED

    async def _end(self, why: KillReason) -> None:
        self._is_gone(PlayerUnavailableError("The player process was ended."))
        self._tally.ended(self, why)
        await self._child.kill()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._clean_up()
        for future in (self._greeted, self._opened, self._finished):
            mark_seen(future)

    async def _read_lines(self) -> None:
        try:
            with contextlib.suppress(ConnectionError):  # it died: its death is watched
                while line := await self._read_line():
                    self._heard.set()
                    self._hear(line)
        except ValueError as e:
            self._is_gone(PlayerUnavailableError(f"The player process sent an invalid message: {redact(str(e))}."))

    def _failed(self, error: MediaError) -> None:
        reject(self._opened, error)
        reject(self._finished, error)

    async def _read_stderr(self) -> None:
        stderr = self._child.process.stderr
        assert stderr is not None
        while True:
            try:
                line = await stderr.readline()
            except ValueError:  # longer than asyncio keeps (64 KiB); it has thrown that away
                continue
            if not line:
                return
            # A player may say the address that it plays; what it said is for the log and for people.
            self._last_words.append(redact(line.decode(errors="replace").rstrip()))

    async def _watch_death(self) -> None:
        code = await self._child.process.wait()
        await asyncio.sleep(0)  # what it said last may still be in the pipe
        if self._ending is None and code == NOT_OPENED:
            log.warning("player_display_refused", pid=self.pid)
            self._is_gone(
                DisplayRefusedError(
                    "The X server accepts cast-agent but no player: it has too many clients, or who may use it has "
                    "changed. Look at its log, or restart it."
                )
            )
        elif self._ending is None:
            why = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
            # A killed process writes no last line; an existing one is older, about something else.
            spoke = code >= 0 or code == -signal.SIGABRT
            words = next((line for line in reversed(self._last_words) if line.strip() and spoke), "")
            log.warning("player_died", pid=self.pid, why=why, last_words=list(self._last_words))
            self._is_gone(PlayerUnavailableError(f"The player process died ({why}). {words}".rstrip()))

    async def _watch_silence(self) -> None:
        try:
            async with asyncio.timeout(HELLO_TIMEOUT_S):
                await self._unless_gone(self._greeted)
        except TimeoutError:
            self._is_gone(PlayerUnavailableError(f"It sent nothing for {HELLO_TIMEOUT_S:.0f} s."))
        except AgentError:
            return  # gone
        while not self._gone.done():
            if await self._hears_something(PING_AFTER_S):
                continue
            self._ping()
            if not await self._hears_something(PONG_TIMEOUT_S):
                log.warning("player_stalled", pid=self.pid)
                self._is_gone(
                    PlayerTimeoutError(f"The player process hung: no answer for {PING_AFTER_S + PONG_TIMEOUT_S:.0f} s.")
                )

    async def _hears_something(self, timeout_s: float) -> bool:
        self._heard.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._heard.wait()
        return self._heard.is_set()

    def _write(self, line: bytes) -> None:
        if self._gone.done():
            raise self._gone.result()
        self._child.writer.write(line)  # a few short lines in the life of a player: no need to drain

    async def _unless_gone(self, future: asyncio.Future[T]) -> T:
        if not future.done():
            either: set[asyncio.Future[Any]] = {future, self._gone}
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if future.done():
            return future.result()
        raise self._gone.result()

    def _is_gone(self, error: AgentError) -> None:
        resolve(self._gone, error)
