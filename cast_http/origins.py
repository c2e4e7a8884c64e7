"""The origin of a request that a browser sends: the service's own page, or somebody else's."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlsplit

from aiohttp import web

SAFE_METHODS: Final = frozenset({"GET", "HEAD"})
"""Methods that change nothing."""

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_HOST: Final = re.compile(r"(?:\[(?P<v6>[0-9A-Fa-f:.%]+)\]|(?P<name>[^\[\]:/@?#\s]+))(?::(?P<port>[0-9]{0,5}))?")


def is_from_own_page(request: web.Request) -> bool:
    """Return True if a cookie may count for this request: a page of the service sends it, or the person themselves.

    A browser sends a cookie also for a page on another port of the same host. It says where the page is from in
    Sec-Fetch-Site, which only https and this machine get, or else in Origin. A request that changes something and says
    neither is taken for a foreign one.
    """
    if (site := request.headers.get("Sec-Fetch-Site")) is not None:
        return site in ("same-origin", "none")
    if origins := request.headers.getall("Origin", []):
        return is_own_origin(origins, request.headers.getall("Host", []))
    return request.method in SAFE_METHODS


def is_own_origin(origins: list[str], hosts: list[str]) -> bool:
    """Return True if there is one `Origin`, and it has the host and the port of the one `Host`."""
    return len(origins) == 1 and len(hosts) == 1 and _is_same(origins[0], hosts[0])


def parse_host(host: str) -> tuple[str, int | None] | None:
    """Name or address in lower case, and the port if there is one; None when it is not a host at all."""
    match = _HOST.fullmatch(host.strip())
    if match is None:
        return None
    name = (match["v6"] or match["name"]).lower().rstrip(".")
    return name, int(match["port"]) if match["port"] else None


def _is_same(origin: str, host: str) -> bool:
    try:
        scheme, netloc, *rest = urlsplit(origin)
    except ValueError:
        return False
    default = _DEFAULT_PORTS.get(scheme)
    theirs, ours = parse_host(netloc), parse_host(host)
    if default is None or theirs is None or ours is None or any(rest):
        return False
    return (theirs[0], theirs[1] or default) == (ours[0], ours[1] or default)
