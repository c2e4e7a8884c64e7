"""The check of the DNS servers of this machine."""

from __future__ import annotations

import asyncio
import ipaddress
import os
from pathlib import Path
from typing import Final

from agent.doctor.bounds import ANSWER_TIMEOUT_S
from agent.doctor.findings import Finding, Level
from agent.media.names import RESOLV_CONF, STUB_RESOLV_CONF, servers
from agent.util.threads import in_thread

PORT: Final = 53

_NAME = "DNS"
_ADVICE = (
    "Check the network cable or Wi-Fi, the router, and the servers in /etc/resolv.conf. Addresses with an IP address "
    "instead of a name play all the same."
)

_QUESTION: Final = b"\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x09localhost\x00\x00\x01\x00\x01"
"""All of a DNS message but its id: the address of localhost, please (RFC 1035, 4; RFC 6761, 6.3). Every server answers
that by itself, on a LAN without the internet too."""


async def name_servers(
    resolv_conf: Path = RESOLV_CONF, *, stub_resolv_conf: Path = STUB_RESOLV_CONF, port: int = PORT
) -> Finding:
    """Check whether each name server answers within 2 s, with any answer."""
    asked = await in_thread(lambda: servers(resolv_conf, stub_resolv_conf))
    if not asked:
        found = f"No DNS server is named in {resolv_conf}: addresses with a host name are not found."
        return Finding(Level.WARN, _NAME, found, _ADVICE)
    answers = await asyncio.gather(*(_answers(server, port) for server in asked))
    silent = [server for server, answered in zip(asked, answers, strict=True) if not answered]
    if not silent:
        return Finding(Level.OK, _NAME, f"{', '.join(asked)} answers." if len(asked) == 1 else f"{_all(asked)} answer.")
    if len(silent) < len(asked):
        found = f"{_all(silent)} does not answer: a name may take 5 s longer until the next server is asked."
        return Finding(Level.WARN, _NAME, found, _ADVICE)
    found = f"{_all(silent)} does not answer within {ANSWER_TIMEOUT_S:.0f} s: addresses with a host name do not play."
    return Finding(Level.WARN, _NAME, found, _ADVICE)


class _Answer(asyncio.DatagramProtocol):
    def __init__(self, message_id: bytes) -> None:
        self._id = message_id
        self.came = asyncio.get_running_loop().create_future()

    def datagram_received(self, data: bytes, addr: object) -> None:
        if data[:2] == self._id and not self.came.done():
            self.came.set_result(True)

    def error_received(self, exc: Exception) -> None:
        if not self.came.done():
            self.came.set_result(False)  # the port is closed


async def _answers(server: str, port: int) -> bool:
    try:
        address = ipaddress.ip_address(server.partition("%")[0])
        message_id = os.urandom(2)
        host = server if address.version == 6 else str(address)
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            transport, answer = await loop.create_datagram_endpoint(
                lambda: _Answer(message_id), remote_addr=(host, port)
            )
            try:
                transport.sendto(message_id + _QUESTION)
                return bool(await answer.came)
            finally:
                transport.close()
    except (OSError, ValueError, TimeoutError):
        return False


def _all(names: list[str] | tuple[str, ...]) -> str:
    return " and ".join(names)
