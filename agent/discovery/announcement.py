"""One announcement of this box, from its first word in a network to its goodbye."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Awaitable, Callable, Collection, Iterable
from typing import Final

import structlog
from zeroconf import (  # type: ignore[attr-defined]  # the DNS classes are public, but not in its __all__
    DNSAddress,
    DNSOutgoing,
    DNSService,
    IPVersion,
    NonUniqueNameException,
    RecordUpdate,
    RecordUpdateListener,
    ServiceInfo,
    Zeroconf,
)
from zeroconf.asyncio import AsyncZeroconf

from agent.discovery.interfaces import Address, Interface
from agent.discovery.records import other_service, services, wanted_names
from agent.discovery.responder import Responder, Told, told_on
from agent.discovery.senders import senders_of, versions_of
from agent.host.identity import host_name
from agent.types import Auth, DeviceInfo, LanService

log = structlog.get_logger(__name__)

DEFEND_EVERY_S: Final = 10.0
"""Two who both insist on a name would otherwise fill the network with it."""

FLUSH_AFTER_S: Final = 1.5
"""A record that we send removes only records that others have heard more than a second before (RFC 6762, 10.2)."""

DOUBLES_LIMIT: Final = 16
"""Warnings; a network that makes addresses up shall not fill the log."""

_RESPONSE: Final = 0x8400
"""Flags of a DNS message: an authoritative response (RFC 6762, 18)."""


class Announcement:
    """Made, begun, updated and ended once. Making it raises OSError when port 5353 cannot be shared."""

    def __init__(
        self,
        device: DeviceInfo,
        *,
        port: int,
        model: str,
        interfaces: Collection[Interface],
        contested: Callable[[], None],
    ) -> None:
        """`contested` is called when `keeps_name` has something to settle."""
        self._device = device
        self._port = port
        self._model = model
        self._names = wanted_names(device)
        self._services: tuple[ServiceInfo, ...] = ()
        """The agent and its page."""
        self._others: dict[LanService, ServiceInfo] = {}
        self._taken: set[str] = set()
        """Names of others that the log has told of."""
        self._defended_at = -DEFEND_EVERY_S
        senders = senders_of(interfaces)
        self._told = told_on(interfaces)
        host = f"{host_name(device.id)}."
        self._responder = Responder(senders, versions_of(senders), interfaces=interfaces)
        self._responder.own(host)
        self._mdns = AsyncZeroconf(zc=self._responder)
        self._registry = self._mdns.zeroconf.registry
        self._rivals = _Rivals(host, contested, self._advice)

    async def begin(self, interfaces: Collection[Interface], auth: Auth, others: Iterable[LanService]) -> None:
        """Take a name that is free, and announce it, and the others beside it. Raises zeroconf.Error."""
        self._services = self._made_for(interfaces, auth)
        registering = (self._mdns.async_register_service(each, allow_name_change=True) for each in self._services)
        said, beside = await asyncio.gather(asyncio.gather(*registering), self._register(others, interfaces))
        self._mdns.zeroconf.async_add_listener(self._rivals, None)
        wanted, self._names = self._names, (self._services[0].name, self._services[1].name)
        if wanted[0] != self._names[0]:
            log.warning("name_taken", wanted=_instance(wanted[0]), announced_as=_instance(self._names[0]))
        self._log("device_announced", interfaces, auth)
        await asyncio.gather(*said, *beside)

    async def show(self, others: Iterable[LanService], interfaces: Iterable[Interface]) -> None:
        """Announce these services beside the agent's, as far as they are new or have changed, and take back what is
        there no more. One whose name another device has is left out."""
        await asyncio.gather(*await self._register(others, interfaces))

    async def _register(self, others: Iterable[LanService], interfaces: Iterable[Interface]) -> list[Awaitable[None]]:
        """Announce the service. Ends when all is sent."""
        named = {service.name: service for service in others}
        shown = {service.name: service for service in self._others}
        said: list[Awaitable[None]] = []
        for name, service in shown.items():
            if name not in named:
                said.append(await self._mdns.async_unregister_service(self._others.pop(service)))
        for name, service in named.items():
            if service in self._others:
                continue
            info = other_service(service, _announced(interfaces))
            if (before := shown.get(name)) is not None:
                del self._others[before]
                said.append(await self._mdns.async_update_service(info))
            else:
                self._responder.own(str(info.server))
                try:
                    said.append(await self._mdns.async_register_service(info))
                except NonUniqueNameException:
                    self._note_taken(service)
                    continue
            self._others[service] = info
        return said

    def _note_taken(self, service: LanService) -> None:
        if service.name not in self._taken:
            self._taken.add(service.name)
            log.warning("service_name_taken", kind=service.kind, name=service.name, hint=service.advice)

    async def update(self, interfaces: Collection[Interface], auth: Auth) -> None:
        """Announce what has changed, with a goodbye for the addresses that are gone."""
        self._services = self._made_for(interfaces, auth)
        self._others = {service: other_service(service, _announced(interfaces)) for service in self._others}
        before, self._told = self._told, told_on(interfaces)
        # In this order: what a new socket says first comes from the registry, and must not be the old addresses.
        # Clients that keep an address until its goodbye hear that before the last word.
        for service in self._all():
            self._registry.async_update(service)
        self._responder.follow(interfaces)
        senders = senders_of(interfaces)
        await self._mdns.async_update_interfaces(senders, versions_of(senders))
        self._say_goodbye(before)
        self._log("announcement_changed", interfaces, auth)
        await self._say_again()

    async def end(self) -> None:
        """Say goodbye and close the sockets."""
        await self._mdns.async_close()

    async def keeps_name(self) -> bool:
        """Settle with others who announce the same name: insist on it, or give it up without a word.

        Two boxes of one name that come up at the same moment do not see each other's probes. Then the lesser host
        name keeps it. Of what was given up there is no goodbye: the other's name would be gone, too.
        """
        rivals = self._rivals.take()
        if not rivals:
            return True
        if min(rivals) < str(self._services[0].server_key):
            self._registry.async_remove(self._registry.async_get_service_infos())
            return False
        if time.monotonic() - self._defended_at >= DEFEND_EVERY_S:
            self._defended_at = time.monotonic()
            await self._say_again()
            await asyncio.sleep(FLUSH_AFTER_S)
            await self._say_again()
        return True

    async def _say_again(self) -> None:
        said = [await self._mdns.async_update_service(service) for service in self._all()]
        await asyncio.gather(*said)

    def _say_goodbye(self, before: Told) -> None:
        """Send a goodbye for the addresses that an interface no longer has, if the interface still exists."""
        message, gone = DNSOutgoing(_RESPONSE), sorted(frozenset().union(*before.values()))
        for now in {service.server: service for service in self._all()}.values():
            of_old = ServiceInfo(now.type, now.name, server=now.server, addresses=gone)
            for record in of_old.dns_addresses(override_ttl=0):
                message.add_answer_at_time(record, 0)
        self._responder.say_goodbye(message, before)

    def _advice(self, name: str) -> str | None:
        """Advice about another device with this name; None if the device is this box."""
        return next((service.advice for service in self._others if service.name == name), None)

    def _all(self) -> tuple[ServiceInfo, ...]:
        return *self._services, *self._others.values()

    def _made_for(self, interfaces: Iterable[Interface], auth: Auth) -> tuple[ServiceInfo, ServiceInfo]:
        return services(
            self._device,
            names=self._names,
            port=self._port,
            addresses=_announced(interfaces),
            auth=auth,
            model=self._model,
        )

    def _log(self, event: str, interfaces: Iterable[Interface], auth: Auth) -> None:
        log.info(
            event,
            name=_instance(self._names[0]),
            host=self._services[0].server,
            addresses=[str(address) for address in _announced(interfaces)],
            auth=auth.value,
        )


class _Rivals(RecordUpdateListener):
    """Records other devices that announce a service under a name of ours."""

    def __init__(self, host: str, contested: Callable[[], None], advice: Callable[[str], str | None]) -> None:
        self._host = host.lower()
        self._advice = advice
        self._contested = contested
        self._seen: set[str] = set()
        self._ours: set[bytes] = set()
        self._doubles: set[bytes] = set()

    def async_update_records(self, zc: Zeroconf, now: float, records: list[RecordUpdate]) -> None:
        """Called by zeroconf with whatever comes from the network, our own words too."""
        for update in records:
            record = update.new
            if record.is_expired(now):
                continue
            if isinstance(record, DNSService):
                ours = zc.registry.async_get_info_name(record.key)
                if ours is not None and ours.server_key == self._host != record.server_key:
                    self._seen.add(record.server_key)
                    self._contested()
            elif isinstance(record, DNSAddress) and (infos := zc.registry.async_get_infos_server(record.key)):
                self._note_double(infos[0], record.address)

    def take(self) -> set[str]:
        """The host names of those seen since the last call."""
        seen, self._seen = self._seen, set()
        return seen

    def _note_double(self, ours: ServiceInfo, address: bytes) -> None:
        """A box that was copied with its state has our id, and so our host name: neither can be found for sure."""
        self._ours.update(ours.addresses_by_version(IPVersion.All))  # also those that we had: they may come late
        if address in self._ours | self._doubles or len(self._doubles) >= DOUBLES_LIMIT:
            return
        self._doubles.add(address)
        name = str(ours.server_key).removesuffix(".local.")
        log.warning(
            "device_id_duplicated" if ours.server_key == self._host else "host_name_duplicated",
            name=name,
            address=socket.inet_ntop(socket.AF_INET if len(address) == 4 else socket.AF_INET6, address),
            hint=self._advice(name)
            or "Another box announces the id of this one. If its card is a copy, delete the files device-id and "
            "esphome-identity.json in its state directory and restart it; ids that are set in [device] must differ.",
        )


def _announced(interfaces: Iterable[Interface]) -> tuple[Address, ...]:
    return tuple(dict.fromkeys(address for interface in interfaces for address in interface.announced))


def _instance(full_name: str) -> str:
    return full_name.partition("._")[0]
