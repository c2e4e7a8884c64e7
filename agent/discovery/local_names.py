"""Finds hosts by their names in `.local` for players: few systems look such names up themselves (nss-mdns does)."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Collection
from typing import Final
from urllib.parse import urlsplit

import structlog
import zeroconf
from zeroconf import AddressResolver, DNSQuestionType, IPVersion  # type: ignore[attr-defined]  # public, but not in its __all__
from zeroconf.asyncio import AsyncZeroconf

from agent.discovery.interfaces import Interface, lan_interfaces
from agent.discovery.senders import senders_of, versions_of
from agent.errors import MediaError
from agent.media.names import host_to_look_up
from agent.types import ErrorCode
from agent.util.threads import in_thread

ANSWER_S: Final = 3.0
"""A host answers within 0.2 s; a question that gets lost is asked again after one and after three seconds."""

SYSTEM_LATER_S: Final = 1.0
"""The time that the system may take beyond mDNS: players can resolve a name that the system resolves."""

NEEDS_NAME: Final = frozenset({"https", "rtsps", "rtmps"})
"""A certificate is for a name; an address would be refused."""

log = structlog.get_logger(__name__)


class LocalNames:
    """Resolves names in `.local`. `interfaces` are those that mDNS is spoken on, none for all that lead to the LAN."""

    def __init__(self, interfaces: Collection[str] = ()) -> None:
        self._interfaces = interfaces

    async def locate(self, url: str) -> str:
        """The URL for a player: this one, or with the address of its host where the players could not find that.

        With an address the server is not told the name (`Host`). Raises MediaError when nobody on the network has the
        name, or players would need it.
        """
        host = host_to_look_up(url)
        if not host.endswith(".local"):
            return url
        system = asyncio.ensure_future(in_thread(lambda: _knows(host), name="host names"))
        try:
            address = await self.address(host)
            await asyncio.wait({system}, timeout=SYSTEM_LATER_S)
            if system.done() and system.result():
                return url
        finally:
            system.cancel()
        if not address:
            raise MediaError(
                ErrorCode.MEDIA_NETWORK,
                f"No device on the network answers to the name {host!r}: check the spelling, and whether it is "
                "switched on and in the same network as this box (mDNS does not pass routers), or use its IP address.",
            )
        scheme = urlsplit(url).scheme
        if scheme in NEEDS_NAME:
            raise MediaError(
                ErrorCode.MEDIA_FORBIDDEN,
                f"The name {host!r} is that of {address}, but only for mDNS, and {scheme} needs the name itself: "
                "install libnss-mdns on this box (Debian: apt install libnss-mdns), or use a name that DNS knows.",
            )
        log.info("local_name_resolved", host=host, address=address)
        return _with_host(url, host, address)

    async def address(self, host: str) -> str:
        """The address that mDNS has for it, IPv4 first; empty when it has none."""
        logging.getLogger("zeroconf").setLevel(logging.CRITICAL)  # interfaces that it cannot use are no news
        try:
            found = await in_thread(lambda: lan_interfaces(self._interfaces), name="addresses")
            return await _ask_on(found, host)
        except (OSError, zeroconf.Error, RuntimeError) as error:  # an address that goes meanwhile is a RuntimeError
            log.warning("local_name_lookup_failed", host=host, reason=f"{type(error).__name__}: {error}")
            return ""


async def _ask_on(interfaces: Collection[Interface], host: str) -> str:
    senders = senders_of(interfaces)
    if not senders:
        return ""
    mdns = AsyncZeroconf(senders, ip_version=versions_of(senders))
    try:
        resolver = AddressResolver(f"{host}.")
        # To all, and not to us alone: of the sockets that share the port another one may get that.
        if not await resolver.async_request(mdns.zeroconf, ANSWER_S * 1000, DNSQuestionType.QM):
            return ""
        # A link-local address of IPv6 would need its interface, which not every player takes.
        usable = [a for a in resolver.ip_addresses_by_version(IPVersion.All) if a.version == 4 or not a.is_link_local]
        return str(min(usable, key=lambda address: address.version, default=""))
    finally:
        await mdns.async_close()


def _knows(host: str) -> bool:
    """Return True if the system resolves the name, so that players do, too. Blocks."""
    try:
        return bool(socket.getaddrinfo(host, None, type=socket.SOCK_STREAM))
    except (OSError, UnicodeError):
        return False


def _with_host(url: str, host: str, address: str) -> str:
    parts = urlsplit(url)
    userinfo, at, place = parts.netloc.rpartition("@")
    port = place[len(host) :]
    shown = f"[{address}]" if ":" in address else address
    return parts._replace(netloc=f"{userinfo}{at}{shown}{port}").geturl()
