"""The daemon's end of one player process: spawning it, hearing it, noticing that it hangs or died, killing it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, Self, TypeVar

import structlog

from agent.errors import AgentError, MediaError, PlayerTimeoutError, PlayerUnavailableError, PlaylistError
from agent.player import ipc
from agent.player.base import Media, Opened, Progress
from agent.player.confine import Confinement
from agent.types import ErrorCode, MediaType, StreamType

PING_AFTER_S = 2.0
"""Silence after which a player is asked whether it is there. One that plays reports four times a second."""

PONG_TIMEOUT_S = 3.0
"""Calls of libVLC that the player makes take 5-50 ms on a busy Raspberry Pi; 3 s is a hang."""

DONE_TIMEOUT_S = 2.0
"""For opening or closing an audio device: 150 ms is usual, a sound server that wakes up needs up to 1 s."""

HELLO_TIMEOUT_S = 10.0
"""Python and libVLC from a cold SD card; 0.1 s warm."""

REAP_TIMEOUT_S = 2.0
"""SIGKILL needs 15-19 ms; a process inside a stuck driver cannot be reaped and is left to the kernel."""

_STDERR_LINES = 12

log = structlog.get_logger(__name__)
R = TypeVar("R", bound=ipc.Report)
T = TypeVar("T")


class ChildPlayer(ABC):
    """What player processes of every engine have in common: how they are spawned, heard, missed and killed."""

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self._process = process
        self._reader = reader
        self._writer = writer
        self._progress = Progress()
        self._greeted: asyncio.Future[None] = _future()
        self._opened: asyncio.Future[Opened] = _future()
        self._finished: asyncio.Future[None] = _future()
        self._gone: asyncio.Future[AgentError] = _future()
        self._last_words: deque[str] = deque(maxlen=_STDERR_LINES)
        self._ending: asyncio.Task[None] | None = None
        self._heard = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    @classmethod
    async def spawn(cls, command: Sequence[str], *, environment: Mapping[str, str]) -> Self:
        """Start `command`, told of its end of the socket pair.

        Raises PlayerUnavailableError when it cannot be started.
        """
        ours, theirs = socket.socketpair()
        reader, writer = await asyncio.open_connection(sock=ours, limit=ipc.MAX_LINE_BYTES)
        try:
            process = await asyncio.create_subprocess_exec(
                *cls._complete(command, theirs.fileno()),
                pass_fds=(theirs.fileno(),),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.PIPE,
                env=dict(environment),
                start_new_session=True,  # a group of its own: killed with whatever it starts
            )
        except OSError as e:
            await _close(writer)
            raise PlayerUnavailableError(f"The player process cannot be started: {e}.") from e
        except BaseException:
            await _close(writer)
            raise
        finally:
            theirs.close()
        player = cls(process, reader, writer)
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
            await player.kill()
            raise
        return player

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def progress(self) -> Progress:
        return self._progress

    async def opened(self) -> Opened:
        return await self._unless_gone(self._opened)

    async def finished(self) -> None:
        await self._unless_gone(self._finished)

    async def gone(self) -> AgentError:
        """Wait until the process hangs or is dead; tells why."""
        return await asyncio.shield(self._gone)

    async def kill(self) -> None:
        if self._ending is None:
            self._ending = asyncio.create_task(self._end(), name=f"player-{self.pid}-end")
        await asyncio.shield(self._ending)  # it goes on, whoever is cancelled while waiting for it

    # --- what an engine adds ---

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
        """Take in one line. Raises ValueError for one that makes no sense."""

    @abstractmethod
    def _ping(self) -> None:
        """Ask for any answer, from the thread that hangs when the engine hangs."""

    # --- hearing it ---

    def _keep(self, coroutine: Coroutine[Any, Any, None], name: str) -> None:
        self._tasks.append(asyncio.create_task(coroutine, name=f"player-{self.pid}-{name}"))

    async def _end(self) -> None:
        self._is_gone(PlayerUnavailableError("The player process was ended."))
        if self._process.returncode is None:
            _kill_group(self._process.pid)
        try:
            async with asyncio.timeout(REAP_TIMEOUT_S):
                await self._process.wait()
        except TimeoutError:
            log.error("player_unkillable", pid=self._process.pid)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await _close(self._writer)
        for future in (self._greeted, self._opened, self._finished):
            _retrieve(future)

    async def _read_lines(self) -> None:
        try:
            while line := await self._reader.readline():
                self._heard.set()
                self._hear(line)
        except ConnectionError:
            return  # it died: its death is watched
        except ValueError as e:
            self._is_gone(PlayerUnavailableError(f"The player process spoke nonsense: {e}."))

    def _failed(self, error: MediaError) -> None:
        _reject(self._opened, error)
        _reject(self._finished, error)

    async def _read_stderr(self) -> None:
        assert self._process.stderr is not None
        while line := await self._process.stderr.readline():
            self._last_words.append(line.decode(errors="replace").rstrip())

    async def _watch_death(self) -> None:
        code = await self._process.wait()
        await asyncio.sleep(0)  # what it said last may still be in the pipe
        if self._ending is None:
            why = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
            # Who is killed says no last words; what stands there then is an older line about something else.
            spoke = code >= 0 or code == -signal.SIGABRT
            words = next((line for line in reversed(self._last_words) if line.strip() and spoke), "")
            log.warning("player_died", pid=self.pid, why=why, last_words=list(self._last_words))
            self._is_gone(
                PlayerUnavailableError(f"The player process died ({why}). {words}".rstrip()),
            )

    async def _watch_silence(self) -> None:
        try:
            async with asyncio.timeout(HELLO_TIMEOUT_S):
                await self._unless_gone(self._greeted)
        except TimeoutError:
            self._is_gone(PlayerUnavailableError(f"It said nothing for {HELLO_TIMEOUT_S:.0f} s."))
        except AgentError:
            return  # gone
        while not self._gone.done():
            if await self._hears_something(PING_AFTER_S):
                continue
            self._ping()
            if not await self._hears_something(PONG_TIMEOUT_S):
                log.warning("player_hangs", pid=self.pid)
                self._is_gone(
                    PlayerTimeoutError(f"The player process hung: no answer for {PING_AFTER_S + PONG_TIMEOUT_S:.0f} s.")
                )

    async def _hears_something(self, timeout_s: float) -> bool:
        self._heard.clear()
        try:
            async with asyncio.timeout(timeout_s):
                await self._heard.wait()
        except TimeoutError:
            return False
        return True

    # --- speaking ---

    def _write(self, line: bytes) -> None:
        if self._gone.done():
            raise self._gone.result()
        self._writer.write(line)  # a few short lines in the life of a player: no need to drain

    async def _unless_gone(self, future: asyncio.Future[T]) -> T:
        if not future.done():
            either: set[asyncio.Future[Any]] = {future, self._gone}
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if future.done():
            return future.result()
        raise self._gone.result()

    def _is_gone(self, error: AgentError) -> None:
        _resolve(self._gone, error)


class ProcessPlayer(ChildPlayer):
    """A player that speaks `agent.player.ipc`; see `agent.player.base.Player` for the contract."""

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        super().__init__(process, reader, writer)
        self._hello: ipc.Hello | None = None
        self._answer: asyncio.Future[ipc.Report] | None = None
        self._pings = 0

    @property
    def engine(self) -> str:
        return self._said_hello.engine

    @property
    def version(self) -> str:
        return self._said_hello.version

    @property
    def features(self) -> Mapping[str, bool | str]:
        return self._said_hello.features

    async def warm(self, xid: int, *, timeout_s: float) -> bool:
        """Play the pre-roll into window `xid`; tells whether it was shown. Raises PlayerTimeoutError."""
        return (await self._ask(ipc.Warm(xid), ipc.Warmed, timeout_s)).ok

    async def load(self, media: Media, xid: int) -> None:
        self._send(
            ipc.Load(
                url=media.url,
                xid=xid,
                quality=media.quality,
                volume=media.volume,
                muted=media.muted,
                position=media.position,
            )
        )

    async def set_sound(self, on: bool) -> None:
        await self._ask(ipc.Sound(on), ipc.Done, DONE_TIMEOUT_S)

    async def set_volume(self, volume: float, muted: bool) -> None:
        await self._ask(ipc.Volume(volume, muted), ipc.Done, DONE_TIMEOUT_S)

    async def pause(self, on: bool) -> None:
        await self._ask(ipc.Pause(on), ipc.Done, DONE_TIMEOUT_S)

    async def seek(self, position: float) -> None:
        await self._ask(ipc.Seek(position), ipc.Done, DONE_TIMEOUT_S)

    @property
    def _said_hello(self) -> ipc.Hello:
        if self._hello is None:
            raise PlayerUnavailableError("The player process has not said hello yet.")
        return self._hello

    @staticmethod
    def _complete(command: Sequence[str], fd: int) -> list[str]:
        return [*command, "--fd", str(fd), "--parent", str(os.getpid())]

    async def _begin(self) -> None:
        try:
            await self._unless_gone(self._greeted)
        except AgentError as e:
            raise PlayerUnavailableError(f"The player process did not start. {e}") from e

    def _ping(self) -> None:
        self._pings += 1
        self._send(ipc.Ping(self._pings))

    def _hear(self, line: bytes) -> None:
        match report := ipc.decode_report(line):
            case ipc.Hello():
                self._hello = report
                _resolve(self._greeted, None)
            case ipc.Warmed() | ipc.Done():
                self._reply(report)
            case ipc.ProgressReport():
                self._progress = Progress(
                    pictures=report.pictures,
                    audio_buffers=report.audio_buffers,
                    position=report.position,
                    duration=report.duration,
                    stream_type=StreamType(report.stream_type) if report.stream_type else None,
                    hardware_decoding=report.hardware_decoding,
                    at=asyncio.get_running_loop().time(),
                )
            case ipc.OpenedReport():
                _resolve(self._opened, Opened(MediaType(report.media_type), report.has_audio))
            case ipc.Playlist():
                _reject(self._opened, PlaylistError(tuple(report.entries)))
            case ipc.Finished():
                _resolve(self._finished, None)
            case ipc.Failed():
                self._failed(MediaError(ErrorCode(report.code), report.message))
            case ipc.Pong():
                pass  # heard, that is all that counts

    def _send(self, command: ipc.Command) -> None:
        self._write(ipc.encode(command))

    async def _ask(self, command: ipc.Command, answer_type: type[R], timeout_s: float) -> R:
        while self._answer is not None:  # one question at a time
            await asyncio.wait({self._answer})
        self._answer = answer = asyncio.get_running_loop().create_future()
        try:
            self._send(command)
            async with asyncio.timeout(timeout_s):  # wait_for of Python 3.11 may swallow a cancellation
                report = await self._unless_gone(answer)
        except TimeoutError as e:
            raise PlayerTimeoutError(
                f"The player process did not answer within {timeout_s:.0f} s ({type(command).__name__})."
            ) from e
        finally:
            answer.cancel()
            self._answer = None
        assert isinstance(report, answer_type)
        return report

    def _reply(self, report: ipc.Report) -> None:
        if self._answer is not None:
            _resolve(self._answer, report)


def worker_environment(display: str, *, base: Mapping[str, str]) -> dict[str, str]:
    """What a player process gets of the daemon's environment: all but our own settings, which may hold secrets,
    and Wayland: an engine that sees it would rather draw there than into a window of the stage."""
    environment = {k: v for k, v in base.items() if not k.startswith("CAST_AGENT_") and k != "WAYLAND_DISPLAY"}
    return environment | {"DISPLAY": display, "PYTHONUNBUFFERED": "1"}


def vlc_command(
    *, audio_output: str, audio_device: str | None, confinement: Confinement | None = None
) -> Callable[[], list[str]]:
    """How to start a `vlc` player process; without a confinement it reaches what the daemon reaches."""
    command = [sys.executable, "-m", "agent.player.vlc.worker", "--audio-output", audio_output]
    if audio_device:
        command += ["--audio-device", audio_device]
    if confinement:
        command += confinement.arguments()
    return lambda: command


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()


def _kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)


def _future() -> asyncio.Future[T]:
    return asyncio.get_running_loop().create_future()


def _resolve(future: asyncio.Future[T], value: T) -> None:
    if not future.done():
        future.set_result(value)


def _reject(future: asyncio.Future[T], error: Exception) -> None:
    if not future.done():
        future.set_exception(error)


def _retrieve(future: asyncio.Future[Any]) -> None:
    """Mark as seen what nobody waited for, so that asyncio does not report it as lost."""
    if not future.cancel() and not future.cancelled():
        future.exception()
