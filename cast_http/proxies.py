"""The detection of a proxy between a caller and a service."""

from __future__ import annotations

from typing import Final

from aiohttp import HttpVersion11, web

PROXY_HEADERS: Final = (
    "X-Forwarded-For",
    "X-Forwarded-Host",
    "X-Forwarded-Proto",
    "X-Real-IP",
    "X-Client-IP",
    "Forwarded",
    "Via",
)
"""Headers that proxies add. None of them makes a caller local; each says that a caller may be somebody else than its
peer."""


def is_proxied(request: web.Request) -> bool:
    """Return True if a proxy stands between: it says so, or it speaks HTTP/1.0, as nginx does unless it is told
    otherwise. Its client's own headers make nobody local: they only make callers strangers."""
    return request.version < HttpVersion11 or any(map(request.headers.__contains__, PROXY_HEADERS))
