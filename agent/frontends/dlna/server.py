"""The HTTP side of the renderer: who may call, descriptions, actions and subscriptions."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Collection
from functools import partial
from typing import Final
from urllib.parse import urlsplit

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler

from agent.frontends.dlna import soap
from agent.frontends.dlna.description import DESCRIPTION_PATH, device_description, server_name, service_description
from agent.frontends.dlna.errors import UpnpError
from agent.frontends.dlna.events import Subscriptions
from agent.frontends.dlna.renderer import Renderer
from agent.frontends.dlna.services import SERVICES, Service
from agent.types import DeviceInfo
from cast_http.body import read_bytes

BODY_LIMIT: Final = 64 * 1024
"""Bytes of a call. The longest of Home Assistant's has an address and its metadata, some 3 KB."""

BODY_TIMEOUT_S: Final = 5.0

LEAST_S: Final = 60.0
GREATEST_S: Final = 1800.0
"""The length of a subscription, whatever is asked for. After that a controller that has left without a word gets no
more events."""

_READS: Final = ("Get", "List")
"""The beginnings of the names of actions that change nothing."""

log = structlog.get_logger(__name__)


def may_call(peer: str, allowed: Collection[str], *, own: str) -> bool:
    """Return True if the address `peer` is this machine's, `own` being where it was called, or in one of `allowed`."""
    address = _address(peer)
    if address is None:  # it has gone already
        return False
    return address.is_loopback or peer == own or any(address in ipaddress.ip_network(each) for each in allowed)


class DlnaApp:
    """Makes the application. `allowed` are the addresses and networks that may call; `page_port` is that of the page
    for people."""

    def __init__(
        self,
        renderer: Renderer,
        subscriptions: Subscriptions,
        *,
        device: DeviceInfo,
        allowed: Callable[[], Collection[str]],
        page_port: int,
    ) -> None:
        self._renderer = renderer
        self._subscriptions = subscriptions
        self._device = device
        self._allowed = allowed
        self._page_port = page_port

    def make(self) -> web.Application:
        """The application, to be served once."""
        app = web.Application(middlewares=(self._guard,), client_max_size=BODY_LIMIT)
        app.router.add_get(DESCRIPTION_PATH, self._describe)
        for name, service in SERVICES.items():
            app.router.add_get(f"/{name}.xml", partial(self._describe_service, service))
            app.router.add_post(f"/{name}/control", partial(self._control, service))
            app.router.add_route("SUBSCRIBE", f"/{name}/event", partial(self._subscribe, service))
            app.router.add_route("UNSUBSCRIBE", f"/{name}/event", self._unsubscribe)
        return app

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Let a caller in by its address, because there are no keys. A page in somebody's browser is refused: it comes
        with an Origin, or under a name that it has pointed here."""
        peer, own = _ends(request)
        if not may_call(peer, self._allowed(), own=own):
            log.info("dlna_caller_refused", peer=peer, hint="[dlna] allow has the addresses that may call.")
            raise web.HTTPForbidden(text="This address may not call. Add it to allow under [dlna] in the settings.\n")
        if "Origin" in request.headers or _address(_host(request.headers.get("Host", own))) is None:
            raise web.HTTPForbidden(text="Call this box by its IP address, and from no web page.\n")
        return await handler(request)

    async def _describe(self, request: web.Request) -> web.Response:
        _, own = _ends(request)
        return self._answer(device_description(self._device, page=f"http://{own}:{self._page_port}/"))

    async def _describe_service(self, service: Service, request: web.Request) -> web.Response:
        return self._answer(service_description(service))

    async def _control(self, service: Service, request: web.Request) -> web.Response:
        body = await read_bytes(request, timeout_s=BODY_TIMEOUT_S)
        name = "unknown"
        try:
            name = soap.action_of(request.headers.get("SOAPACTION", ""), service)
            gives = await self._renderer.run(service, name, soap.arguments_of(body, name))
        except UpnpError as error:
            log.info("dlna_action_refused", action=name, code=error.code, reason=str(error), peer=request.remote)
            return self._answer(soap.fault(error), status=500)
        finally:
            if not name.startswith(_READS):
                # Before the answer: Home Assistant believes the last event, and leaves out Play after a Stop whose
                # event comes later.
                await self._subscriptions.delivered()
            self._renderer.answers(name)
        return self._answer(soap.answer(service, name, gives))

    async def _subscribe(self, service: Service, request: web.Request) -> web.StreamResponse:
        peer, _ = _ends(request)
        lasts_s = _seconds(request.headers.get("TIMEOUT", ""))
        headers = {"SERVER": server_name(self._device), "TIMEOUT": f"Second-{lasts_s:.0f}"}
        if (sid := request.headers.get("SID")) is not None:
            renewed = self._subscriptions.find(sid, peer)
            if renewed is None:
                raise web.HTTPPreconditionFailed(text="There is no such subscription: make a new one.\n")
            renewed.last(lasts_s)
            return web.Response(headers={**headers, "SID": sid})
        callback = _callback(request.headers.get("CALLBACK", ""), peer)
        if callback is None or request.headers.get("NT") != "upnp:event":
            text = f"NT must be upnp:event, and CALLBACK an http:// address of the caller's own, {peer}.\n"
            raise web.HTTPPreconditionFailed(text=text)
        made = self._subscriptions.add(service, callback, peer, lasts_s=lasts_s)
        if made is None:
            raise web.HTTPServiceUnavailable(text="There are too many subscriptions. Try again later.\n")
        answer = web.Response(headers={**headers, "SID": made.sid})
        try:
            await answer.prepare(request)
            await answer.write_eof()
        except BaseException:
            self._subscriptions.remove(made)
            raise
        self._subscriptions.begin(made)  # after the answer: the caller does not know the subscription before
        return answer

    async def _unsubscribe(self, request: web.Request) -> web.Response:
        peer, _ = _ends(request)
        found = self._subscriptions.find(request.headers.get("SID", ""), peer)
        if found is None:
            raise web.HTTPPreconditionFailed(text="There is no such subscription.\n")
        self._subscriptions.remove(found)
        return web.Response()

    def _answer(self, text: str, *, status: int = 200) -> web.Response:
        headers = {"SERVER": server_name(self._device), "EXT": ""}
        return web.Response(text=text, status=status, content_type="text/xml", charset="utf-8", headers=headers)


def _ends(request: web.Request) -> tuple[str, str]:
    """The addresses of the caller and of this end; empty when the caller has gone."""
    transport = request.transport
    peer, own = (transport and transport.get_extra_info(end) for end in ("peername", "sockname"))
    return peer[0] if peer else "", own[0] if own else ""


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """None for anything else than an IP address."""
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _host(header: str) -> str:
    """The header without its port; empty where it makes no sense."""
    try:
        return urlsplit(f"//{header}").hostname or ""
    except ValueError:  # a bracket without its other half
        return ""


def _seconds(asked: str) -> float:
    """`Second-540`; what else there is, such as `Second-infinite`, is as long as possible."""
    match = re.fullmatch(r"Second-(\d{1,9})", asked.strip(), re.ASCII | re.IGNORECASE)
    return GREATEST_S if match is None else min(max(LEAST_S, float(match[1])), GREATEST_S)


def _callback(given: str, peer: str) -> str | None:
    """The first of the addresses in angle brackets that is the caller's own; None where none is. Others are not called:
    anybody could have this box call a third party."""
    for url in re.findall(r"<([^<>\s]{1,1000})>", given):
        try:
            parts = urlsplit(url)
            if parts.scheme == "http" and parts.hostname == peer and parts.port != 0 and "@" not in parts.netloc:
                return str(url)
        except ValueError:  # its port is none
            continue
    return None
