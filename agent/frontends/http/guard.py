"""The checks that every request passes: the gate, and the checks for pages in browsers."""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler
from multidict import CIMultiDictProxy

from agent.access.gate import Gate, GateError
from agent.config.settings import ApiSettings
from agent.frontends.http.app_keys import CALLER, DEVICE, SETTINGS
from agent.host.identity import host_name
from agent.types import DeviceInfo, ErrorCode
from cast_http.origins import is_from_own_page, is_own_origin, parse_host
from cast_http.proxies import is_proxied

GATE: Final = web.AppKey[Gate]("gate")


class Access(StrEnum):
    """The callers that may make a call. In protected mode that is this machine; with `auth = "none"` it is
    everybody."""

    OPEN = "open"
    """Everybody, under every name: what is the same on every box, what tells that it is up, and what brings a key or a
    token in its body."""
    LOCAL = "local"
    """Access for this machine, and for every key: for calls that change nothing and name no address."""
    KEY = "key"
    """Every key."""
    HOOK = "hook"
    """Whoever knows the address, which is a secret of its own."""


ACCESS: Final = web.AppKey[Mapping[web.AbstractRoute, Access]]("access")
"""The access of each route, from the table of calls; any other request needs a key."""


@web.middleware
async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Let a request in, or raise GateError."""
    admit(request)
    return await handler(request)


def admit(request: web.Request) -> None:
    """Check a request, or one whose answer goes on, by what is in force now. Raises GateError."""
    gate, (peer, port) = request.app[GATE], ends(request)
    try:
        _check(request, gate, peer=peer, port=port)
    except GateError as error:
        error.first = gate.is_first(peer, error.failure.code)
        raise


def _check(request: web.Request, gate: Gate, *, peer: str, port: int) -> None:
    hosts = request.headers.getall("Host", [])
    origins = request.headers.getall("Origin", [])
    if origins:
        check_origin(origins, hosts)
    access = request.app[ACCESS].get(request.match_info.route, Access.KEY)
    if access in (Access.OPEN, Access.HOOK):
        return
    # Callers behind a proxy on this box do not count as the box itself.
    caller = gate.admit(
        presented_keys(request.headers) or page_keys(request, port),
        peer=peer,
        port=port,
        proxied=is_proxied(request),
        local_without_key=access is Access.LOCAL,
    )
    if caller is None:
        check_host(hosts, names=own_names(request.app[DEVICE], request.app[SETTINGS]()))
    else:  # a page of another site has no key, whatever name it uses
        request[CALLER] = caller


def presented_keys(headers: CIMultiDictProxy[str]) -> list[str]:
    """The keys that come with a request, in either of the headers that may carry one."""
    found = headers.getall("X-API-Key", [])
    for value in headers.getall("Authorization", []):
        scheme, _, key = value.partition(" ")
        if scheme.lower() == "bearer":
            found.append(key)
    return [key.strip() for key in found if key.strip()]


def cookie_name(port: int) -> str:
    """The cookie with the key of a page. Cookies know no ports, so two agents on one host have a name each."""
    return f"cast_agent_{port}"


def page_keys(request: web.Request, port: int) -> list[str]:
    """The key in the cookie of a signed-in page.

    Raises GateError (`forbidden_origin`) for a request that another page makes a browser send: one from another origin,
    even of the same host, and one that changes something and does not say where it comes from.
    """
    key = request.cookies.get(cookie_name(port))
    if not key:
        return []
    if not is_from_own_page(request):
        raise _forbidden_origin()
    return [key]


def check_host(hosts: list[str], *, names: frozenset[str]) -> None:
    """Raise GateError (`forbidden_host`) when `Host` is neither an IP address nor one of `names`.

    A page in somebody's browser can point a name of its own at this box (DNS rebinding) and would then be of the
    same origin as we are; it cannot do so with an address or with a name of ours. No browser leaves `Host` out.
    """
    if not hosts:
        return
    parsed = parse_host(hosts[0]) if len(hosts) == 1 else None
    if parsed is not None and (_is_address(parsed[0]) or parsed[0] in names):
        return
    raise GateError(
        ErrorCode.FORBIDDEN_HOST,
        "This box does not answer to the name in the Host header. Call it by its IP address, or add the name to "
        "allowed_hosts under [api] in the configuration.",
    )


def check_origin(origins: list[str], hosts: list[str]) -> None:
    """Raise GateError (`forbidden_origin`) when a page of another host or port in a browser sends the request."""
    if not is_own_origin(origins, hosts):
        raise _forbidden_origin()


def _forbidden_origin() -> GateError:
    return GateError(
        ErrorCode.FORBIDDEN_ORIGIN,
        "A web page of another site sent this request, so it is refused. Open the page from this box itself, or "
        "call from a program that sends no Origin header.",
    )


def own_names(device: DeviceInfo, settings: ApiSettings) -> frozenset[str]:
    """The names that this box is known by, in lower case: its host name now, the device's name, `.local` of both,
    the one that mDNS announces, and what the configuration allows."""
    host = socket.gethostname().lower().rstrip(".")
    short = host.partition(".")[0]
    slug = re.sub(r"[^a-z0-9]+", "-", device.name.lower()).strip("-")
    names = {"localhost", host, short, f"{short}.local", host_name(device.id)}
    if slug:
        names.add(f"{slug}.local")
    for allowed in settings.allowed_hosts:
        parsed = parse_host(allowed)
        if parsed is not None:
            names.add(parsed[0])
    return frozenset(names)


def ends(request: web.Request) -> tuple[str, int]:
    """The caller's address, empty when it is gone already, and our port."""
    transport = request.transport
    peer, ours = (transport and transport.get_extra_info(end) for end in ("peername", "sockname"))
    return peer[0] if isinstance(peer, tuple) else "", ours[1] if isinstance(ours, tuple) else 0


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
