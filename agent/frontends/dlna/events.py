"""The notification of changes (GENA): each subscriber gets what differs from its last notification."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import uuid
from collections.abc import Callable, Mapping
from typing import Final

import structlog
from aiohttp import ClientError, ClientSession, ClientTimeout, TCPConnector

from agent.frontends.dlna.services import AV_TRANSPORT, RENDERING_CONTROL, Service
from agent.frontends.dlna.xml import HEAD, elements, text
from cast_util.backoff import Backoff
from cast_util.tasks import Supervisor

SUBSCRIPTIONS_LIMIT: Final = 20
"""A controller has three, one for each service."""

NOTIFY_TIMEOUT_S: Final = 2.0
"""The longest wait for a controller in the same network, which takes some milliseconds."""

DELIVERED_S: Final = 1.0
"""The longest wait of an answer for events. One whose events cannot be delivered is not waited for the next time."""

FIRST_EVENT_AFTER_S: Final = 0.05
"""The delay of the first event: it comes by another connection than the answer to the subscription, and GUPnP 1.6 loses
one that it reads first."""

TRIES: Final = Backoff(5.0, cap_s=60.0)
"""Pauses between events that cannot be delivered; a subscription lasts half an hour at most."""

_SCHEMAS: Final = {
    AV_TRANSPORT.name: "urn:schemas-upnp-org:metadata-1-0/AVT/",
    RENDERING_CONTROL.name: "urn:schemas-upnp-org:metadata-1-0/RCS/",
}
"""The namespaces of services that tell all changes in one variable, LastChange."""

Variables = Callable[[Service], Mapping[str, str]]

log = structlog.get_logger(__name__)


class Subscription:
    """One controller that follows one service, until `expires` (by the clock of the event loop)."""

    def __init__(self, service: Service, callback: str, peer: str, *, expires: float, variables: Variables) -> None:
        self.sid: Final = f"uuid:{uuid.uuid4()}"
        self.peer: Final = peer
        self.expires = expires
        self.is_deaf = False
        """The last event could not be delivered."""
        self.settled = asyncio.Event()
        """All is delivered that there is to tell, or cannot be."""
        self._service = service
        self._callback = callback
        self._variables = variables
        self._told: Mapping[str, str] | None = None
        self._sequence = 0
        self._more = asyncio.Event()

    def last(self, seconds: float) -> None:
        """Renew the subscription for so long from now."""
        self.expires = asyncio.get_running_loop().time() + seconds
        self.look()

    def look(self) -> None:
        """Look for changes to tell. Called whenever something may have changed."""
        self.settled.clear()
        self._more.set()

    async def run(self, session: ClientSession) -> None:
        """Tell of each change until the subscription is over, or the controller says that it knows none."""
        loop, failures = asyncio.get_running_loop(), 0
        await asyncio.sleep(FIRST_EVENT_AFTER_S)
        while loop.time() < self.expires:
            self._more.clear()
            now = self._variables(self._service)
            told = self._told or {}
            changed = {name: value for name, value in now.items() if self._told is None or told.get(name) != value}
            if changed:
                status = await self._notify(session, changed)
                if status == 412:
                    return
                self.is_deaf = status is None
                failures = failures + 1 if status is None else 0
                if not self.is_deaf:
                    self._told = now
                    continue  # it may be another again
            self.settled.set()
            until = min(self.expires, loop.time() + TRIES.after(failures)) if failures else self.expires
            try:
                async with asyncio.timeout_at(until):
                    await self._more.wait()
            except TimeoutError:
                continue

    async def _notify(self, session: ClientSession, changed: Mapping[str, str]) -> int | None:
        """The HTTP status of the answer; None for none."""
        headers = {
            "Content-Type": 'text/xml; charset="utf-8"',
            "NT": "upnp:event",
            "NTS": "upnp:propchange",
            "SID": self.sid,
            "SEQ": str(self._sequence),
        }
        self._sequence = self._sequence % (2**32 - 1) + 1  # 0 is the first event alone
        body = property_set(self._service, changed).encode()
        try:
            # A redirect would lead to another host.
            async with session.request(
                "NOTIFY", self._callback, data=body, headers=headers, allow_redirects=False
            ) as answer:
                return answer.status
        except (ClientError, OSError, TimeoutError) as error:  # ClientError: also what is no HTTP
            write = log.debug if self.is_deaf else log.warning
            write("dlna_event_failed", peer=self.peer, reason=type(error).__name__)
            return None


class Subscriptions:
    """All subscriptions. `variables` returns the evented variables of a service."""

    def __init__(self, variables: Variables, *, supervisor: Supervisor) -> None:
        self._variables = variables
        self._supervisor = supervisor
        self._all: dict[str, tuple[Subscription, asyncio.Task[None] | None]] = {}
        self._numbers = itertools.count(1)
        self._session: ClientSession | None = None

    @property
    def peers(self) -> tuple[str, ...]:
        """Their addresses, each once."""
        return tuple(sorted({subscription.peer for subscription, _ in self._all.values()}))

    def add(self, service: Service, callback: str, peer: str, *, lasts_s: float) -> Subscription | None:
        """Add a subscription, which receives nothing before `begin`; None if there are SUBSCRIPTIONS_LIMIT."""
        if len(self._all) >= SUBSCRIPTIONS_LIMIT:
            return None
        expires = asyncio.get_running_loop().time() + lasts_s
        made = Subscription(service, callback, peer, expires=expires, variables=self._variables)
        self._all[made.sid] = made, None
        return made

    def begin(self, subscription: Subscription) -> None:
        """Tell all there is, and each change from now on; nothing where it was removed meanwhile."""
        if subscription.sid not in self._all:
            return
        if self._session is None:
            # A connection is not kept: one that the other side has closed meanwhile would lose an event.
            connector = TCPConnector(limit=SUBSCRIPTIONS_LIMIT, force_close=True)
            self._session = ClientSession(connector=connector, timeout=ClientTimeout(total=NOTIFY_TIMEOUT_S))
        session, sid = self._session, subscription.sid
        task = self._supervisor.start(lambda: subscription.run(session), name=f"dlna-events-{next(self._numbers)}")
        self._all[sid] = subscription, task
        task.add_done_callback(lambda _: self._all.pop(sid, None))

    def find(self, sid: str, peer: str) -> Subscription | None:
        """The one of this id that this address has made."""
        found, _ = self._all.get(sid, (None, None))
        return found if found is not None and found.peer == peer else None

    def remove(self, subscription: Subscription) -> None:
        """Remove a subscription. Idempotent."""
        _, task = self._all.pop(subscription.sid, (None, None))
        if task is not None:
            task.cancel()

    def look(self) -> None:
        """Look for changes to tell. Called whenever something may have changed."""
        for subscription, _ in self._all.values():
            subscription.look()

    async def delivered(self) -> None:
        """Return when all subscribers are up to date, within DELIVERED_S."""
        self.look()
        waited_for = [each for each, task in self._all.values() if task is not None and not each.is_deaf]
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DELIVERED_S):
                for each in waited_for:
                    await each.settled.wait()

    async def stop(self) -> None:
        """End all of them. Idempotent."""
        tasks = [task for _, task in self._all.values() if task is not None]
        self._all.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        session, self._session = self._session, None
        if session is not None:
            await session.close()


def property_set(service: Service, changed: Mapping[str, str]) -> str:
    """The body of an event."""
    schema = _SCHEMAS.get(service.name)
    if schema is not None:
        channel = ' channel="Master"'
        values = "".join(
            f'<{name}{channel if name in ("Mute", "Volume") else ""} val="{text(value)}"/>'
            for name, value in changed.items()
        )
        changed = {"LastChange": f'<Event xmlns="{schema}"><InstanceID val="0">{values}</InstanceID></Event>'}
    properties = "".join(f"<e:property>{elements([pair])}</e:property>" for pair in changed.items())
    return f'{HEAD}<e:propertyset xmlns:e="urn:schemas-upnp-org:event-1-0">{properties}</e:propertyset>'
