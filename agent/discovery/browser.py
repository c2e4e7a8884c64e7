"""Finds the agents on the LAN."""

from __future__ import annotations

import asyncio
import errno
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from zeroconf import IPVersion, ServiceStateChange, Zeroconf
from zeroconf.asyncio import AsyncServiceBrowser, AsyncServiceInfo, AsyncZeroconf

from agent.discovery.records import AGENT_TYPE, label

RESOLVE_TIMEOUT_S: Final = 3.0
"""The longest wait from a name to its addresses; they mostly come in one packet with it."""


@dataclass(frozen=True, slots=True)
class Found:
    """An agent as it announces itself. Nothing of it is verified."""

    name: str
    id: str
    version: str
    model: str
    auth: str
    host: str
    """Its own name in `.local`."""
    port: int
    addresses: tuple[str, ...]
    """IPv4 first; link-local ones of IPv6 with their scope."""

    def is_called(self, name: str) -> bool:
        """Return True if a person means this agent by its name, its id or its host name."""
        wanted = name.casefold().rstrip(".")
        names = (self.name, self.id, self.host, self.host.removesuffix(".local"))
        return any(wanted == own.casefold() for own in names) or label(name).casefold() == self.name.casefold()


async def browse(timeout_s: float, *, until: Callable[[Found], bool] = lambda _: False) -> list[Found]:
    """The agents that answer within that time, by name. Stops early once `until` is true of one. Raises OSError if port
    5353 cannot be shared."""
    logging.getLogger("zeroconf").setLevel(logging.CRITICAL)  # interfaces that it cannot use are no news
    search = _Search(until)
    mdns = _open()
    try:
        browser = AsyncServiceBrowser(mdns.zeroconf, AGENT_TYPE, handlers=[search.changed])
        try:
            async with asyncio.timeout(timeout_s):
                await search.over.wait()
        except TimeoutError:
            pass  # the time for answers is over
        await browser.async_cancel()
        await search.stop()
    finally:
        await mdns.async_close()
    return sorted(search.found.values(), key=lambda found: found.name.casefold())


def _open() -> AsyncZeroconf:
    try:
        return AsyncZeroconf(ip_version=IPVersion.All)
    except OSError as error:
        if error.errno != errno.EAFNOSUPPORT:  # a kernel without IPv6
            raise
        return AsyncZeroconf(ip_version=IPVersion.V4Only)


class _Search:
    def __init__(self, until: Callable[[Found], bool]) -> None:
        self.found: dict[str, Found] = {}
        self.over = asyncio.Event()
        self._until = until
        self._asking: dict[str, asyncio.Task[None]] = {}

    def changed(self, zeroconf: Zeroconf, service_type: str, name: str, state_change: ServiceStateChange) -> None:
        """Called by zeroconf; its names for the arguments are fixed."""
        if (asking := self._asking.pop(name, None)) is not None:
            asking.cancel()
        if state_change is ServiceStateChange.Removed:
            self.found.pop(name, None)
        else:
            self._asking[name] = asyncio.create_task(self._ask(zeroconf, name), name=f"resolve {name}")

    async def stop(self) -> None:
        for task in self._asking.values():
            task.cancel()
        await asyncio.gather(*self._asking.values(), return_exceptions=True)

    async def _ask(self, zeroconf: Zeroconf, name: str) -> None:
        info = AsyncServiceInfo(AGENT_TYPE, name)
        if await info.async_request(zeroconf, RESOLVE_TIMEOUT_S * 1000) and info.port:
            found = _found(info, info.port)
            if found.addresses:
                self.found[name] = found
            if self._until(found):
                self.over.set()


def _found(info: AsyncServiceInfo, port: int) -> Found:
    said = info.decoded_properties
    return Found(
        name=info.name.removesuffix(f".{AGENT_TYPE}"),
        id=said.get("id") or "",
        version=said.get("vs") or "",
        model=said.get("md") or "",
        auth=said.get("auth") or "",
        host=(info.server or "").rstrip("."),
        port=port,
        addresses=tuple(info.parsed_scoped_addresses()),
    )
