"""The whole face: a media renderer in the LAN, behind the casting service."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import structlog
from aiohttp import web

from agent.casting.service import CastingService
from agent.events.bus import EventBus, SlowFollowerError
from agent.frontends.dlna.description import config_id, server_name, unique_name
from agent.frontends.dlna.events import Subscriptions
from agent.frontends.dlna.renderer import Renderer
from agent.frontends.dlna.server import DlnaApp, may_call
from agent.frontends.dlna.ssdp import About, Ssdp
from agent.health import DlnaStatus
from agent.types import DeviceInfo
from agent.util.waiting import first_of
from cast_util.tasks import Supervisor

STOP_TIMEOUT_S: Final = 2.0
"""Goodbyes are said at once; answers under way take as long as `serve` lets them, 0.5 s."""

log = structlog.get_logger(__name__)


class Settings(Protocol):
    """The [dlna] section."""

    @property
    def host(self) -> str | None: ...

    @property
    def port(self) -> int: ...

    @property
    def allow(self) -> Collection[str]: ...


@dataclass(frozen=True, slots=True)
class Reach:
    """The addresses at which the face is reached."""

    host: str
    """Listened on where the settings name no other."""
    addresses: Callable[[], Collection[Sequence[str]]]
    """The addresses of each interface in whose network the face is found; may block."""
    serve: Callable[[web.Application], web.AppRunner]
    """Makes what serves an application."""


class DlnaFace:
    """The DLNA face. `settings` is read anew for each check of a caller."""

    def __init__(
        self,
        casting: CastingService,
        bus: EventBus,
        reach: Reach,
        *,
        settings: Callable[[], Settings],
        device: DeviceInfo,
        supervisor: Supervisor,
    ) -> None:
        self._bus = bus
        self._settings = settings
        host = settings().host or reach.host
        self._host = "0.0.0.0" if host == "::" else host
        self._device = device
        self._reach = reach
        self._supervisor = supervisor
        self._renderer = Renderer(casting)
        self._subscriptions = Subscriptions(self._renderer.variables, supervisor=supervisor)
        self._port: int | None = None
        self._problem: str | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self, page_port: int) -> None:
        """Listen and announce the renderer. Callers learn that the page for people is on `page_port`."""
        self._task = self._supervisor.start(lambda: self._run(page_port), name="dlna")

    async def stop(self) -> None:
        """Say goodbye and close all connections, within STOP_TIMEOUT_S. Idempotent."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait((self._task,), timeout=STOP_TIMEOUT_S)

    @property
    def status(self) -> DlnaStatus:
        """The addresses at which the face is reached."""
        nobody = "Only this machine may call: add the addresses of others to allow under [dlna]."
        problem = self._problem or (None if self._settings().allow else nobody)
        return DlnaStatus(port=self._port, subscribers=self._subscriptions.peers, problem=problem)

    async def _run(self, page_port: int) -> None:
        app = DlnaApp(
            self._renderer,
            self._subscriptions,
            device=self._device,
            allowed=lambda: self._settings().allow,
            page_port=page_port,
        )
        runner = self._reach.serve(app.make())
        await runner.setup()
        try:
            await self._listen(runner)
            listening, port = runner.addresses[0][:2]
            self._port, self._problem = port, None
            log.info("dlna_started", port=port)
            await first_of(self._ssdp(listening).run(port), self._follow())
        finally:
            self._port = None
            try:
                await runner.cleanup()
            finally:
                await self._subscriptions.stop()  # after the last call that could make one

    async def _listen(self, runner: web.AppRunner) -> None:
        port = self._settings().port
        try:
            await web.TCPSite(runner, self._host, port).start()
        except OSError as error:
            self._problem = (
                f"Cannot listen on port {port} of {self._host}: {error.strerror}. Change [dlna] host or port."
            )
            raise

    def _ssdp(self, listening: str) -> Ssdp:
        device = self._device
        everywhere = ipaddress.ip_address(listening).is_unspecified

        def addresses() -> Collection[str]:
            """One of each interface: controllers would take two for a device that moves."""
            usable = ([each for each in own if everywhere or each == listening] for own in self._reach.addresses())
            return [own[0] for own in usable if own]

        return Ssdp(
            About(unique_name(device), server_name(device), config_id(device)),
            addresses=addresses,
            answers=lambda own, peer: may_call(peer, self._settings().allow, own=own),
        )

    async def _follow(self) -> None:
        """Notify subscribers of every change, whoever made it."""
        while True:
            follower = self._bus.subscribe()
            try:
                while True:
                    await follower.next()
                    self._subscriptions.look()
            except SlowFollowerError:  # they are told how it is now, and not what has happened
                self._subscriptions.look()
            finally:
                follower.close()
