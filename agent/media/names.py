"""The lookup of host names of addresses: a silent resolver looks like a silent source."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import TracebackType
from typing import Final
from urllib.parse import urlsplit

from agent.util.threads import in_thread

LOOK_AFTER_S: Final = 1.0
"""A source that is heard of within this time is not asked about: a name is looked up in some milliseconds."""

RESOLV_CONF: Final = Path("/etc/resolv.conf")
STUB: Final = "127.0.0.53"
STUB_RESOLV_CONF: Final = Path("/run/systemd/resolve/resolv.conf")
"""The file in which systemd-resolved, which listens at STUB, lists the servers that it asks."""

SERVERS_LIMIT: Final = 3
"""The C library takes no more of them (MAXNS of resolv.h)."""


LookUp = Callable[[str], Awaitable[str]]
"""See `look_up_name`."""


Locate = Callable[[str], Awaitable[str]]
"""Makes of a URL the one that players can open. Raises MediaError when there is none."""


async def as_it_is(url: str) -> str:
    """Players find the host themselves."""
    return url


class NameWatch:
    """`async with NameWatch(url, look_up_name)`: looks the name of its host up beside the player that opens it, once
    that takes long, in a thread that the resolver lets go after 30 s at most."""

    def __init__(self, url: str, look_up: LookUp | None) -> None:
        self._host = host_to_look_up(url) if look_up else ""
        self._look_up = look_up or look_up_name
        self._timer: asyncio.TimerHandle | None = None
        self._looking: asyncio.Task[str] | None = None

    async def __aenter__(self) -> NameWatch:
        if self._host:
            self._timer = asyncio.get_running_loop().call_later(LOOK_AFTER_S, self._look)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)

    async def problem(self) -> str:
        """A sentence on why the name had no address until the end; empty if it had one, or was never looked up."""
        if self._looking is None:
            return ""
        if not self._looking.cancelled():
            return self._looking.result()
        return _silent(self._host, await in_thread(servers, name="host names"))

    async def _problem(self) -> str:
        return await self._look_up(self._host)

    def _look(self) -> None:
        self._looking = asyncio.create_task(self._problem(), name=f"look-up-{self._host}")


def host_to_look_up(url: str) -> str:
    """The host of this address if it is a name; empty if it is an address."""
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        return ""
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host
    return ""


def servers(resolv_conf: Path = RESOLV_CONF, stub_resolv_conf: Path = STUB_RESOLV_CONF) -> tuple[str, ...]:
    """The DNS servers that this machine asks, in order. Blocks for a file."""
    named = _servers_in(resolv_conf)
    behind = _servers_in(stub_resolv_conf) if STUB in named else ()
    return behind or named


def _servers_in(file: Path) -> tuple[str, ...]:
    try:
        lines = file.read_text(errors="replace").splitlines()
    except OSError:
        return ()
    fields = (line.split() for line in lines)
    return tuple(dict.fromkeys(f[1] for f in fields if len(f) > 1 and f[0] == "nameserver"))[:SERVERS_LIMIT]


async def look_up_name(host: str) -> str:
    """The reason why this name has no address, as a sentence; empty when it has one. May take half a minute."""
    try:
        await in_thread(lambda: socket.getaddrinfo(host, None, type=socket.SOCK_STREAM), name="host names")
    except socket.gaierror as error:
        if error.errno == socket.EAI_AGAIN:
            return _silent(host, await in_thread(servers, name="host names"))
        return f"The name {host!r} cannot be resolved: check the spelling, and the DNS server of this box."
    except (OSError, UnicodeError):  # no name that can be
        return f"The name {host!r} cannot be resolved: check the spelling."
    return ""


def _silent(host: str, asked: tuple[str, ...]) -> str:
    whom = f"the DNS server {' or '.join(asked)}" if asked else "a DNS server: none is named in /etc/resolv.conf"
    return (
        f"The name {host!r} could not be looked up: no answer from {whom}. Check the network of this box and its DNS "
        "server (`cast-agent doctor` looks at it), or use the IP address instead of the name."
    )
