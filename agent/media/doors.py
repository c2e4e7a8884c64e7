"""The ports of sources. One that is away takes no connection, and a knock costs neither side anything."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Awaitable, Callable
from typing import Final
from urllib.parse import urlsplit

from agent.util.threads import in_thread

Knock = Callable[[], Awaitable[bool]]
"""Returns False if nobody takes a connection at the source now; True if somebody does, or it cannot be told."""

KNOCK_LIMIT_S: Final = 0.5
"""A source on the LAN answers within some milliseconds, one on the internet within 0.3 s; one without power not at
all."""

ADDRESSES_LIMIT: Final = 4
"""Of one name. Those that are not looked at count as closed."""

_AWAY: Final = (errno.EHOSTUNREACH, errno.EHOSTDOWN, errno.ENETUNREACH)
"""Errors by which a source is away; others, such as too many open files, are of this box, and tell nothing."""

_PORTS: Final = {"http": 80, "https": 443, "rtmp": 1935, "rtmps": 443, "rtsp": 554, "rtsps": 322}
"""The ports by IANA and FFmpeg, of what is reached by TCP."""


async def always_open() -> bool:
    """A knock that cannot tell."""
    return True


async def until_open(knock: Knock, *, every_s: float) -> None:
    """Knock, and again after each pause of `every_s` seconds, until somebody takes the connection."""
    is_open = await knock()
    while not is_open:
        await asyncio.sleep(every_s)
        is_open = await knock()


def knock_at(url: str) -> Knock:
    """A way to knock at the port of this address. Its host is looked up once, at the first knock."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or _PORTS.get(parts.scheme.lower(), 0)
    except ValueError:
        return always_open
    if not host or not port or parts.scheme.lower() not in _PORTS:
        return always_open
    addresses: list[str] = []

    async def knock() -> bool:
        try:
            async with asyncio.timeout(KNOCK_LIMIT_S):
                if not addresses:
                    addresses.extend(await _addresses(host, port))
        except (OSError, UnicodeError, TimeoutError):
            return True  # the player's own error says what is wrong with the name
        for address in addresses:
            if await _takes_connection(address, port):
                return True
        return False

    return knock


async def _addresses(host: str, port: int) -> list[str]:
    found = await in_thread(lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM), name="host names")
    return list(dict.fromkeys(str(address[0]) for *_, address in found))[:ADDRESSES_LIMIT]


async def _takes_connection(address: str, port: int) -> bool:
    try:
        async with asyncio.timeout(KNOCK_LIMIT_S):
            _, writer = await asyncio.open_connection(address, port)
    except (ConnectionRefusedError, TimeoutError):
        return False
    except OSError as error:
        return error.errno not in _AWAY
    writer.transport.abort()
    return True
