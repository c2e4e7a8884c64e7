"""The daemon's end of a player process that is ours and speaks `agent.player.ipc`."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from typing import TypeVar

from agent.errors import (
    AgentError,
    DisplayRefusedError,
    MediaError,
    PlayerTimeoutError,
    PlayerUnavailableError,
    PlaylistError,
)
from agent.player import ipc
from agent.player.base import Media, Opened, Report
from agent.player.child import DONE_TIMEOUT_S, ChildPlayer
from agent.player.spawn import Child
from agent.player.tally import Tally
from agent.types import ErrorCode, MediaType, StreamType
from agent.util.futures import reject, resolve

R = TypeVar("R", bound=ipc.Report)


class WorkerPlayer(ChildPlayer):
    """A player that is a worker of ours; see `agent.player.base.Player` for the contract."""

    def __init__(self, child: Child, tally: Tally) -> None:
        super().__init__(child, tally)
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
                refresh=media.refresh,
            )
        )

    async def set_sound(self, on: bool) -> None:
        await self._ask(ipc.Sound(on), ipc.Done, DONE_TIMEOUT_S)

    async def prepare_sound(self) -> None:
        await self._ask(ipc.Sound(on=True, heard=False), ipc.Done, DONE_TIMEOUT_S)

    async def set_volume(self, volume: float, muted: bool) -> None:
        await self._ask(ipc.SetVolume(volume, muted), ipc.Done, DONE_TIMEOUT_S)

    async def pause(self, on: bool) -> None:
        await self._ask(ipc.Pause(on), ipc.Done, DONE_TIMEOUT_S)

    async def seek(self, position: float) -> None:
        await self._ask(ipc.Seek(position), ipc.Done, DONE_TIMEOUT_S)

    @property
    def _said_hello(self) -> ipc.Hello:
        if self._hello is None:
            raise PlayerUnavailableError("The player process is not ready yet.")
        return self._hello

    @staticmethod
    def _complete(command: Sequence[str], fd: int) -> list[str]:
        return [*command, "--fd", str(fd), "--parent", str(os.getpid())]

    async def _begin(self) -> None:
        try:
            await self.greeted()
        except DisplayRefusedError:
            raise
        except AgentError as e:
            raise PlayerUnavailableError(f"The player process did not start. {e}") from e

    def _ping(self) -> None:
        self._pings += 1
        self._send(ipc.Ping(self._pings))

    def _hear(self, line: bytes) -> None:
        match report := ipc.decode_report(line):
            case ipc.Hello():
                self._hello = report
                resolve(self._greeted, None)
            case ipc.Warmed() | ipc.Done():
                self._reply(report)
            case ipc.ProgressReport():
                self._progress = Report(
                    pictures=report.pictures,
                    lost=report.lost,
                    audio_buffers=report.audio_buffers,
                    clock=report.clock,
                    position=report.position,
                    duration=report.duration,
                    stream_type=StreamType(report.stream_type) if report.stream_type else None,
                    hardware_decoding=report.hardware_decoding,
                    sound_lost=report.sound_lost,
                    at=asyncio.get_running_loop().time(),
                )
            case ipc.OpenedReport():
                resolve(self._opened, Opened(MediaType(report.media_type), report.has_audio))
            case ipc.Playlist():
                reject(self._opened, PlaylistError(tuple(report.entries)))
            case ipc.Finished():
                resolve(self._finished, None)
            case ipc.Failed():
                kind = MediaType(report.kind) if report.kind else None
                self._failed(MediaError(ErrorCode(report.code), report.message, kind=kind, is_full=report.is_full))
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
            resolve(self._answer, report)
