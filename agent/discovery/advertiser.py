"""Tells the LAN that this box is here, for as long as it runs and wherever its network goes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any, Final

import structlog
import zeroconf

from agent.config.settings import DiscoverySettings
from agent.discovery.announcement import Announcement
from agent.discovery.interfaces import Address, Interface, lan_interfaces
from agent.discovery.netlink import AddressWatch
from agent.discovery.records import model
from agent.types import Auth, DeviceInfo, LanService
from agent.util.threads import Threads
from cast_util.tasks import Supervisor

log = structlog.get_logger(__name__)

SETTLE_S: Final = 0.2
"""An address that changes makes several messages, within some milliseconds."""

LOOK_AGAIN_S: Final = 5.0
"""The interval at which the announcements are checked without an event: a port that was taken may be free again. A
check takes 1 ms."""

CHANGE_TIMEOUT_S: Final = 10.0
"""An announcement takes 2 s: probing for the name, then three times the same words."""

GOODBYE_TIMEOUT_S: Final = 1.0
"""A goodbye is said three times within 0.25 s."""


@dataclass(frozen=True, slots=True)
class _View:
    """The facts to announce."""

    interfaces: tuple[Interface, ...]
    auth: Auth
    others: tuple[LanService, ...]


class Advertiser:
    """Owns the announcement of this box. Nothing here is ever fatal, and nothing waits for it."""

    def __init__(
        self,
        *,
        device: DeviceInfo,
        settings: DiscoverySettings,
        auth: Callable[[], Auth],
        others: Callable[[], tuple[LanService, ...]] = tuple,
        supervisor: Supervisor | None = None,
    ) -> None:
        """`others` are the services that are announced beside the agent's own."""
        self._supervisor = supervisor or Supervisor()
        self._device = device
        self._settings = settings
        self._auth = auth
        self._others = others
        self._listening: frozenset[Address] = frozenset()
        self._port = 0
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._announcement: Announcement | None = None
        self._shown: _View | None = None
        self._problem: str | None = None
        self._threads = Threads("addresses", limit=2)

    def start(self, listening: Collection[tuple[Any, ...]]) -> None:
        """Begin to announce the sockets of the API, given by their addresses as `getsockname()` tells them."""
        self._listening = frozenset(ip_address(name[0]) for name in listening)
        self._port = int(next(iter(listening))[1])
        if not self._settings.enabled:
            log.info("announcement_skipped", reason="[discovery] enabled = false")
        elif all(address.is_loopback for address in self._listening):
            log.info("announcement_skipped", reason="[api] host is this machine only")
        else:
            self._task = self._supervisor.start(self._run, name="advertiser")

    def look_again(self) -> None:
        """Refresh the announcement, such as after a change of `auth`."""
        self._changed.set()

    def withdraw(self) -> None:
        """Begin to say goodbye; `stop` waits for its end. Idempotent."""
        if self._task is not None and not self._task.cancelling():
            self._task.cancel()

    async def stop(self) -> None:
        """Say goodbye, within GOODBYE_TIMEOUT_S. Idempotent."""
        self.withdraw()
        if self._task is not None:
            _, late = await asyncio.wait((self._task,), timeout=GOODBYE_TIMEOUT_S)
            for task in late:
                task.cancel()

    async def _run(self) -> None:
        # `_failed` logs an error once; the library would repeat it.
        logging.getLogger("zeroconf").setLevel(logging.CRITICAL)
        watch = AddressWatch(self._changed.set)
        try:
            while True:
                self._changed.clear()
                try:
                    watch.open()
                    async with asyncio.timeout(CHANGE_TIMEOUT_S):
                        await self._look()
                    self._problem = None
                except Exception as error:
                    self._failed(error)
                    await self._close()
                await self._wait()
        finally:
            watch.close()
            await self._close()

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(LOOK_AGAIN_S):
                await self._changed.wait()
        except TimeoutError:
            return
        await asyncio.sleep(SETTLE_S)

    async def _look(self) -> None:
        """Bring the announcement up to date."""
        found = await self._threads.call(lambda: lan_interfaces(self._settings.interfaces), timeout_s=CHANGE_TIMEOUT_S)
        view = _View(tuple(filter(None, map(self._reachable, found))), self._auth(), self._others())
        if self._announcement is not None and not await self._announcement.keeps_name():
            await self._close()
        if view == self._shown:
            return
        if not view.interfaces:
            await self._close()
            log.info("announcement_postponed")
        elif self._announcement is None:
            await self._announce(view)
        else:
            shown = self._shown
            if shown is None or (shown.interfaces, shown.auth) != (view.interfaces, view.auth):
                await self._announcement.update(view.interfaces, view.auth)
            await self._announcement.show(view.others, view.interfaces)
        self._shown = view

    def _reachable(self, interface: Interface) -> Interface | None:
        """The interface with only those of its addresses that the API listens on."""
        everywhere = {address.version for address in self._listening if address.is_unspecified}
        kept = tuple(a for a in interface.addresses if a.version in everywhere or a in self._listening)
        return Interface(interface.name, kept) if kept else None

    async def _announce(self, view: _View) -> None:
        self._announcement = Announcement(
            self._device,
            port=self._port,
            model=await self._threads.call(model, timeout_s=CHANGE_TIMEOUT_S),
            interfaces=view.interfaces,
            contested=self._changed.set,
        )
        await self._announcement.begin(view.interfaces, view.auth, view.others)

    async def _close(self) -> None:
        announcement, self._announcement, self._shown = self._announcement, None, None
        if announcement is None:
            return
        try:
            async with asyncio.timeout(CHANGE_TIMEOUT_S):
                await announcement.end()
        except Exception as error:
            log.warning("announcement_goodbye_failed", reason=f"{type(error).__name__}: {error}", exc_info=error)

    def _failed(self, error: Exception) -> None:
        # A RuntimeError of the library: an address went while its socket was made.
        expected = isinstance(error, OSError | TimeoutError | RuntimeError | zeroconf.Error)
        problem = f"{type(error).__name__}: {error}"
        write = log.debug if problem == self._problem else log.warning
        write("announcement_failed", reason=problem, retry_s=LOOK_AGAIN_S, exc_info=None if expected else error)
        self._problem = problem
