"""The daemon's end of the process that keeps cameras ready."""

from __future__ import annotations

import asyncio
import hashlib
import os
import sys
from collections.abc import Awaitable, Callable, Collection, Mapping
from contextlib import AsyncExitStack
from functools import partial
from http.client import HTTPException
from importlib.util import find_spec
from typing import Final
from urllib.parse import urlsplit

import structlog

from agent.errors import MediaError, PlayerUnavailableError
from agent.health import CameraHealth
from agent.media.redaction import redact
from agent.player.camera.messages import CAMERAS_LIMIT, CameraReport, decode_reports, encode_wanted
from agent.player.camera.still import FETCH_LIMIT_S, Room, fetch
from agent.player.confine import Confinement
from agent.player.ffmpeg.relay import Relay
from agent.player.spawn import Child, spawn, worker_environment
from agent.raw_picture import RawPicture
from agent.types import Failure
from agent.util.memory import available_bytes
from agent.util.threads import in_thread
from agent.util.waiting import first_of
from cast_util.tasks import Supervisor

SILENCE_LIMIT_S: Final = 10.0
"""The process reports each second; Python and FFmpeg from a cold SD card take some."""
LEFT_S: Final = 30.0
"""The time for which the camera itself is asked after a failure: whatever broke it off would do so again."""
FIND_AGAIN_S: Final = 30.0
"""The host of a camera that is not ready may have another address by now."""
MEMORY_NEEDED: Final = 192 * 1024 * 1024
"""Bytes that must be available for the process to be started: it takes some 50 MB, and a camera up to 32 MB."""

MISSING: Final = (
    "This machine keeps no camera ready: PyAV is not installed (there are packages for x86-64 and 64-bit ARM). A start "
    "goes to the camera itself."
)
TOO_MANY: Final = (
    f"{CAMERAS_LIMIT} cameras are kept ready, the most there may be: leave keep_ready out of a preset that is needed "
    "less. A start goes to the camera itself."
)
SHORT: Final = (
    "Memory is short, so no camera is kept ready: a start goes to the camera itself. Stop what takes the memory, or "
    "leave keep_ready out of the presets."
)

log = structlog.get_logger(__name__)


class ReadyCameras:
    """The cameras that are kept ready, by their address. `locate` makes of an address the one that players can open;
    `player_missing` is what to do to have the player that shows them, empty where it is there."""

    def __init__(
        self,
        *,
        confinement: Confinement,
        locate: Callable[[str], Awaitable[str]],
        supervisor: Supervisor,
        is_installed: Callable[[], bool] = lambda: find_spec("av") is not None,
        player_missing: Callable[[], str] = str,
        memory: Callable[[], int] = available_bytes,
    ) -> None:
        self._confinement = confinement
        self._locate = locate
        self._supervisor = supervisor
        self._is_installed = is_installed
        self._player_missing = player_missing
        self._memory = memory
        self._wanted: dict[str, str] = {}
        """The id of the preset by address."""
        self._left_out: dict[str, str] = {}
        self._changed = asyncio.Event()
        self._reports: dict[str, CameraReport] = {}
        self._sources: dict[str, str] = {}
        """The address for the process, by that of the camera."""
        self._relays: dict[str, asyncio.Task[None]] = {}
        self._problems: dict[str, str] = {}
        """What keeps us from a camera, by its address, where the process does not know it."""
        self._problem = ""
        self._left_until: dict[str, float] = {}

    def keep(self, wanted: Mapping[str, str]) -> None:
        """Keep these ready from now on, and no others: the id of a preset by its address. The first 16 of them."""
        kept = dict(list(wanted.items())[:CAMERAS_LIMIT])
        self._left_out = {url: preset for url, preset in wanted.items() if url not in kept}
        if kept != self._wanted:
            self._left_until = {}
            self._wanted = kept
            self._changed.set()

    def address(self, url: str, *, at_most: int | None = None) -> str | None:
        """The address at which a player has the pictures of this camera at once, or None where it is not ready, or has
        another rendition for pictures of `at_most` so many lines."""
        report, now = self._reports.get(url), asyncio.get_running_loop().time()
        if report is None or not report.ready or now < self._left_until.get(url, now) or self._player_missing():
            return None
        return report.url if at_most is None or report.chosen_lines <= at_most else None

    async def still(self, address: str, size: tuple[int, int]) -> RawPicture | None:
        """The last key frame of the camera at this address of ours, as large as it fits into so many pixels; None if
        none is to be had within a moment, or if somebody watches it already: it is older than what they see."""
        if any(report.url == address and report.viewers for report in self._reports.values()):
            return None
        try:
            async with asyncio.timeout(FETCH_LIMIT_S):
                return await in_thread(lambda: fetch(address, Room(*size)), name="still")
        except (OSError, HTTPException, ValueError) as error:
            log.warning("still_failed", reason=str(error) or type(error).__name__)
            return None

    def failed(self, url: str) -> None:
        """Record that it could not be played from there: the next attempts go to the camera itself."""
        self._left_until[url] = asyncio.get_running_loop().time() + LEFT_S

    @property
    def health(self) -> tuple[CameraHealth, ...]:
        """The state of each camera that is to be kept ready."""
        kept = (self._health(url, preset) for url, preset in self._wanted.items())
        left_out = (CameraHealth(preset, redact(url), problem=TOO_MANY) for url, preset in self._left_out.items())
        return (*kept, *left_out)

    async def run(self) -> None:
        """Keep them ready until cancelled. Raises PlayerUnavailableError when the process ends or hangs."""
        while True:
            self._changed.clear()
            self._problem = self._lacks() if self._wanted else ""
            if self._wanted and not self._problem:
                await self._serve()
            else:
                await _within(FIND_AGAIN_S if self._problem else None, self._changed.wait())

    def _lacks(self) -> str:
        """Why no camera can be kept ready here; empty if they can."""
        if not self._is_installed():
            return MISSING
        if missing := self._player_missing():
            return f"No camera is kept ready: {missing} A start goes to the camera itself."
        return SHORT if self._memory() < MEMORY_NEEDED else ""

    def _health(self, url: str, preset: str) -> CameraHealth:
        report = self._reports.get(url) or CameraReport("", ready=False)
        return CameraHealth(
            preset=preset,
            url=redact(url),
            ready=report.ready,
            size=report.size,
            seconds=report.seconds,
            viewers=report.viewers,
            problem=self._problem or self._problems.get(url) or report.problem or None,
        )

    async def _serve(self) -> None:
        """Run the process for as long as any camera is wanted."""
        command = [sys.executable, "-m", "agent.player.camera.worker", "--parent", str(os.getpid())]
        confined = self._confinement.arguments()
        environment = worker_environment("", base=os.environ)
        async with AsyncExitStack() as stack:
            child = await spawn(lambda fd: [*command, "--fd", str(fd), *confined], environment=environment)
            stack.push_async_callback(child.close)
            stack.push_async_callback(child.kill)
            stack.callback(self._forget)
            log.info("cameras_started", pid=child.process.pid, count=len(self._wanted))
            await first_of(self._tell(child), self._hear(child), _read_out(child))

    def _forget(self) -> None:
        self._reports, self._sources, self._problems = {}, {}, {}

    async def _tell(self, child: Child) -> None:
        """Say which are wanted, whenever that changes, and where they are now. Returns when none is wanted."""
        async with AsyncExitStack() as stack:
            stack.callback(self._close_relays)
            while self._wanted:
                self._changed.clear()
                wanted = tuple(self._wanted)
                self._sources = {url: source for url, source in self._sources.items() if url in wanted}
                self._close_relays(keep=wanted)
                found = await asyncio.gather(*map(self._source, wanted))
                cameras = {_id_of(url): source for url, source in zip(wanted, found, strict=True)}
                child.writer.write(encode_wanted(cameras))
                await _within(FIND_AGAIN_S, self._changed.wait())

    def _close_relays(self, keep: Collection[str] = ()) -> None:
        for url in self._relays.keys() - set(keep):
            self._relays.pop(url).cancel()

    async def _source(self, url: str) -> str:
        """The address for the process, found again while the camera is not ready. FFmpeg checks no certificates of
        RTSP, so a relay does."""
        known = self._sources.get(url)
        is_relayed = urlsplit(url).scheme.lower() == "rtsps"
        if known is not None and (is_relayed or self._is_ready(url)):
            return known
        try:
            located = await self._locate(url)
            if is_relayed:
                located = await self._relay(url, located)
        except (MediaError, OSError) as error:
            self._problems[url] = str(error)
            return known or url
        self._problems.pop(url, None)
        self._sources[url] = located
        return located

    async def _relay(self, url: str, located: str) -> str:
        """Raises OSError."""
        relay = Relay(located, failed=partial(self._relay_failed, url))
        address = await relay.open()
        self._relays[url] = self._supervisor.start(relay.serve, name="camera-relay")
        return address

    def _is_ready(self, url: str) -> bool:
        report = self._reports.get(url)
        return report is not None and report.ready

    def _relay_failed(self, url: str, failure: Failure) -> None:
        self._problems[url] = failure.message

    async def _hear(self, child: Child) -> None:
        while True:
            try:
                async with asyncio.timeout(SILENCE_LIMIT_S):
                    line = await child.reader.readline()
            except TimeoutError as error:
                raise PlayerUnavailableError("The process that keeps cameras ready hung.") from error
            if not line:
                raise PlayerUnavailableError("The process that keeps cameras ready has ended.")
            try:
                known = {_id_of(url): url for url in self._wanted}
                reports = {known[report.id]: report for report in decode_reports(line) if report.id in known}
            except ValueError as error:
                raise PlayerUnavailableError("The process that keeps cameras ready sent an invalid message.") from error
            for url, report in reports.items():
                before = self._reports.get(url)
                if report.ready:
                    self._problems.pop(url, None)
                if before is None or (before.ready, before.problem) != (report.ready, report.problem):
                    # One that sends a picture each 10 s is ready and not ready by turns.
                    level = log.debug if before is not None and before.problem == report.problem else log.info
                    level("camera_changed", url=redact(url), ready=report.ready, problem=report.problem or None)
            self._reports = reports


def _id_of(url: str) -> str:
    """Short, and without the password."""
    return hashlib.sha256(url.encode(errors="surrogatepass")).hexdigest()[:16]


async def _within(limit_s: float | None, waiting: Awaitable[object]) -> None:
    try:
        async with asyncio.timeout(limit_s):
            await waiting
    except TimeoutError:
        pass


async def _read_out(child: Child) -> None:
    """Log what it says on stderr."""
    assert child.process.stderr is not None
    while True:
        try:
            line = await child.process.stderr.readline()
        except ValueError:  # longer than asyncio keeps
            continue
        if not line:
            await asyncio.Event().wait()  # its death is noticed elsewhere
        log.warning("camera_process_complained", text=redact(line.decode(errors="replace").rstrip()))
