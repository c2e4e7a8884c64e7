"""The addresses of a host name, asked for in threads of their own: a resolver that hangs holds up nothing else."""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp.abc import AbstractResolver, ResolveResult

from agent.media.urls import is_private
from agent.util.threads import Threads

TIMEOUT_S: Final = 8.0
"""Less than a call may take, so that its reason is told. A resolver tries each of its servers for 5 s."""

LOCAL_TIMEOUT_S: Final = 2.0
"""The time for the system to answer for a name in `.local`; then mDNS is asked, which takes 3 s at most."""

FindLocal = Callable[[str], Awaitable[str]]
"""The address that mDNS has for a name in `.local`; empty when it has none."""

THREADS_LIMIT: Final = 3
"""A thread that hangs is let go by the resolver after 30 s at most."""


class Names(AbstractResolver):
    """A resolver. With `private_only` it leaves out addresses of the internet, which must not be called without TLS.
    `find_local` looks up names in `.local` that the system does not know."""

    def __init__(self, *, private_only: bool, find_local: FindLocal | None = None) -> None:
        self._private_only = private_only
        self._find_local = find_local
        self._threads = Threads("host names", limit=THREADS_LIMIT)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Resolve a name. Raises OSError, whose text says what to do for a name of the internet."""

        def look_up() -> list[tuple[socket.AddressFamily, str]]:
            flags = socket.AI_ADDRCONFIG
            found = socket.getaddrinfo(host, port, family=family, type=socket.SOCK_STREAM, flags=flags)
            return [(kind, str(address[0])) for kind, _, _, _, address in found]

        is_local = self._find_local is not None and host.lower().rstrip(".").endswith(".local")
        timeout_s = LOCAL_TIMEOUT_S if is_local else TIMEOUT_S
        try:
            addresses = await self._threads.call(look_up, timeout_s=timeout_s)
        except (OSError, TimeoutError) as error:
            if is_local and self._find_local is not None and (found := await self._find_local(host.lower())):
                addresses = [(socket.AF_INET6 if ":" in found else socket.AF_INET, found)]
            elif isinstance(error, TimeoutError):
                raise OSError(None, f"no answer from the DNS server within {timeout_s:g} s") from error
            else:
                raise
        usable = [(kind, address) for kind, address in addresses if not self._private_only or is_private(address)]
        if not usable:
            raise PublicAddressError(None, f"{host} is {addresses[0][1]}, which is not in your own network")
        return [
            ResolveResult(hostname=host, host=address, port=port, family=kind, proto=0, flags=socket.AI_NUMERICHOST)
            for kind, address in usable
        ]

    async def close(self) -> None:
        """Do nothing: there is nothing to close."""


class PublicAddressError(OSError):
    """The name leads out of the house."""
