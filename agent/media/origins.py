"""Origins, as browsers compare them: a scheme, a host and a port."""

from __future__ import annotations

import ipaddress
from typing import Final
from urllib.parse import urlsplit

from agent.media.urls import check_central_url

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


def origin_of(url: str) -> str:
    """The origin of an address of the web, in the only form that there is of it; empty for what has none."""
    try:
        parts = urlsplit(url)
        scheme, host, port = parts.scheme.lower(), (parts.hostname or "").lower(), parts.port
        if ":" in host:
            host = f"[{ipaddress.IPv6Address(host)}]"
    except ValueError:
        return ""
    if scheme not in _DEFAULT_PORTS or not host:
        return ""
    return f"{scheme}://{host}" if port in (None, _DEFAULT_PORTS[scheme]) else f"{scheme}://{host}:{port}"


def check_login_origin(url: str) -> str:
    """The origin of pages that are logged in, by the rules of `check_central_url`. Raises ValueError that says what it
    should be."""
    checked = check_central_url(url)
    if "/" in checked.partition("://")[2]:
        raise ValueError("should end with the host or a port, without a path")
    return origin_of(checked)
