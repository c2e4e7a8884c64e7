"""The admission of callers: tokens, trusted addresses, and the secret that is shared with MediaMTX."""

from __future__ import annotations

import base64
import binascii
import functools
import ipaddress
from collections.abc import Collection, Sequence
from typing import Final

from aiohttp import web

from cast_http.origins import is_from_own_page
from cast_http.proxies import is_proxied
from central.core.access.service import Access as Identities
from central.core.errors import ForbiddenError, ForbiddenOriginError, UnauthorizedError
from central.core.operations import Access
from central.core.secrets import SESSION_COOKIE, TokenKind, kind_of, same
from central.core.types import Caller, Role

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_LOOPBACK: Final = (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128"))
_KNOWN: Final = 4096
"""Addresses of whom something is remembered: every request asks, and most callers call again."""
_ROLES: Final = {
    Access.LOCAL: (Role.ADMIN,),
    Access.ADMIN: (Role.ADMIN,),
    Access.DEVICE: (Role.ADMIN, Role.DEVICE),
    Access.ENROL: (Role.ADMIN, Role.ENROLMENT),
    Access.UPLOAD: (Role.ADMIN, Role.UPLOADER),
}
_NEEDS: Final = {
    Access.LOCAL: "an admin key, when it does not come from this machine",
    Access.ADMIN: "an admin key",
    Access.DEVICE: "an admin key or a device token",
    Access.ENROL: "an enrolment token or an admin key",
    Access.UPLOAD: "an admin key or an upload key",
}


class Guard:
    """Stands at the door of every call."""

    def __init__(
        self,
        identities: Identities,
        *,
        proxies: Collection[str] = (),
        media_servers: Collection[str] = (),
        media_secret: str | None = None,
    ) -> None:
        """`proxies` and `media_servers` are addresses and networks."""
        self._identities = identities
        self._proxies = [ipaddress.ip_network(text) for text in proxies]
        self._mediamtx = [ipaddress.ip_network(text) for text in media_servers]
        self._secret = media_secret
        self._proxy_is_here = any(_overlap(proxy, own) for proxy in self._proxies for own in _LOOPBACK)

    async def admit(self, request: web.Request, access: Access) -> Caller:
        """The caller of this request. Raises UnauthorizedError or ForbiddenError."""
        if access is Access.OPEN:
            return Caller(Role.ANYBODY)
        if access is Access.MEDIAMTX:
            return self._media_server(request)
        if access is Access.LOCAL and self._is_this_machine(request):
            return Caller(Role.ANYBODY)
        token = _token(request) or _page_token(request)
        if token is None:
            raise UnauthorizedError(f"This call needs {_NEEDS[access]}: send it as Authorization: Bearer.")
        caller = await self._identities.identify(token)
        if caller.role not in _ROLES[access]:
            raise ForbiddenError(f"This call needs {_NEEDS[access]}.")
        return caller

    def address(self, request: web.Request) -> str:
        """The address of the client: the peer, or what the nearest proxy that is not trusted connected from."""
        address = request.remote or ""
        if not self._proxies:
            return address
        # Each proxy appends whom it heard, to the line that it got (nginx) or as one more line (HAProxy), so from the
        # right on it is true as far as the proxies are ours.
        for hop in reversed(",".join(request.headers.getall("X-Forwarded-For", [])).split(",")):
            if not _is_in(_parse(address), self._proxies) or _parse(hop) is None:
                break
            address = hop.strip()
        return address

    def is_secure(self, request: web.Request) -> bool:
        """Return True if the client called by https, as far as that is known: a proxy that is trusted says so."""
        if not _is_in(_parse(request.remote or ""), self._proxies):
            return request.secure
        said = ",".join(request.headers.getall("X-Forwarded-Proto", [])).rpartition(",")[2]
        return said.strip().lower() == "https"

    def is_shared_secret(self, given: str) -> bool:
        return self._secret is not None and same(given, self._secret)

    def _media_server(self, request: web.Request) -> Caller:
        given = _password(request)
        if given is not None and self.is_shared_secret(given):
            return Caller(Role.MEDIAMTX)
        # A page in a browser of this machine could call too, but cannot help saying where it is from.
        if given is None and "Origin" not in request.headers and self._is_media_server(request):
            return Caller(Role.MEDIAMTX)
        raise UnauthorizedError(
            "This call is for MediaMTX. Set mediamtx.secret and have it sent: http://mediamtx:SECRET@... Without a "
            "secret MediaMTX may call from this machine, if no proxy stands between, and from mediamtx.addresses."
        )

    def _is_media_server(self, request: web.Request) -> bool:
        """Return True if the request comes from an address of MediaMTX. If there is a secret, this machine is no
        exception: a proxy on it that adds no headers looks like a local program."""
        address = self.address(request)
        if address == request.remote and is_proxied(request):
            return False  # a proxy that is not trusted stands between, so this says nothing about the caller
        if _is_in(_parse(address), self._mediamtx):
            return address == request.remote or not _is_loopback(address)
        return self._secret is None and self._is_this_machine(request)

    def _is_this_machine(self, request: web.Request) -> bool:
        """Return True if a program on this machine calls, as far as that can be told. No header says so."""
        if self._proxy_is_here or is_proxied(request):
            return False
        return _is_loopback(request.remote or "")


def _overlap(one: Network, other: Network) -> bool:
    return one.version == other.version and one.overlaps(other)


@functools.lru_cache(maxsize=_KNOWN)
def _parse(text: str) -> Address | None:
    try:
        address = ipaddress.ip_address(text.strip())
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


@functools.lru_cache(maxsize=_KNOWN)
def _is_loopback(text: str) -> bool:
    return _is_in(_parse(text), _LOOPBACK)


def _is_in(address: Address | None, networks: Sequence[Network]) -> bool:
    return address is not None and any(address in network for network in networks)


def _token(request: web.Request) -> str | None:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token.strip():
        return token.strip()
    return request.headers.get("X-API-Key") or None


def _page_token(request: web.Request) -> str | None:
    """The token in the cookie of a page that is logged in. Raises ForbiddenOriginError if another page sends it."""
    token = request.cookies.get(SESSION_COOKIE, "")
    if kind_of(token) is not TokenKind.SESSION:
        return None
    if not is_from_own_page(request):
        raise ForbiddenOriginError(
            "A web page of another origin sent this request, so it is refused. Open the page of this service itself; a "
            "program sends a key as Authorization: Bearer."
        )
    return token


def _password(request: web.Request) -> str | None:
    """The password that MediaMTX and curl take from the part of an address before the @."""
    scheme, _, encoded = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return _token(request)
    try:
        return base64.b64decode(encoded.strip(), validate=True).decode().partition(":")[2]
    except (binascii.Error, ValueError):
        return ""
