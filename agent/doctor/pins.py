"""The check of pinned keys: whether their servers still have them."""

from __future__ import annotations

import asyncio
import ssl
from urllib.parse import urlsplit

from agent.config.loader import Settings
from agent.doctor.bounds import CHECK_TIMEOUT_S
from agent.doctor.findings import Finding, Level
from agent.host.trust import pin_of

_NAME = "pinned keys"

_CONNECT_TIMEOUT_S = CHECK_TIMEOUT_S - 1.0
"""So that its own sentence is told, and not that something hangs."""


async def pins(settings: Settings) -> list[Finding]:
    """A line for each that does not match, or one when all do; none when there are none."""
    found = await asyncio.gather(*(_look(origin, pin) for origin, pin in settings.web.pins.items()))
    wrong = [finding for finding in found if finding is not None]
    if wrong or not found:
        return wrong
    return [Finding(Level.OK, _NAME, f"These servers have their keys: {', '.join(settings.web.pins)}.")]


async def _look(origin: str, pin: str) -> Finding | None:
    try:
        async with asyncio.timeout(_CONNECT_TIMEOUT_S):
            now = pin_of(await _certificate_of(origin))
    except (OSError, TimeoutError, ValueError) as error:
        reason = str(error) or f"no answer within {_CONNECT_TIMEOUT_S:.0f} s"
        return Finding(Level.WARN, _NAME, f"The key of {origin} could not be looked at: {reason}.")
    if now == pin:
        return None
    advice = f"If you know that it has a new key, write it under [web] pins: {now}; otherwise somebody poses as it."
    return Finding(Level.FAIL, _NAME, f"The key of {origin} is not the one under [web] pins.", advice)


async def _certificate_of(origin: str) -> bytes:
    """The certificate of the server, whoever vouches for it: nothing is sent there."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    parts = urlsplit(origin)
    _, writer = await asyncio.open_connection(parts.hostname, parts.port or 443, ssl=context)
    try:
        certificate: bytes = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        return certificate
    finally:
        writer.transport.abort()
