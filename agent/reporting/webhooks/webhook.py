"""One receiver of webhooks: what it is sent, and what its answers mean.

Requests are those of Standard Webhooks 1.0.0 (https://github.com/standard-webhooks/standard-webhooks, in `spec`): one
event each, with the id of the event, which stays the same however often it is sent.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import structlog
from pydantic import JsonValue

from agent.config.settings import WebhookSettings
from agent.events.timestamp import Timestamp, timestamp
from agent.health import WebhookStatus
from agent.media.urls import origin
from agent.reporting.http.circuit import Circuit
from agent.reporting.http.client import Caller
from agent.reporting.http.errors import CallFailedError, Peer, Trouble, of_busy
from agent.reporting.http.resolver import FindLocal
from agent.reporting.outbox.delivery import Delivery
from agent.reporting.outbox.outbox import Outbox
from agent.reporting.outbox.reader import OutboxStatus, Reader
from agent.types import DeviceInfo
from cast_util.tasks import Supervisor
from cast_wire.kinds import EventKind

CALL_TIMEOUT_S: Final = 15.0
"""The least that Standard Webhooks advise."""

CLOCK_SETTLES_S: Final = 900.0
"""The time after the machine was switched on for which its clock may be wrong; one that is not set then never will
be."""

_ENVELOPE: Final = ("session_id", "event_id", "boot_id", "seq", "uptime", "clock_synced", "agent_version")

log = structlog.get_logger(__name__)


class Webhook:
    """One reader of the outbox, with a circuit and a connection of its own."""

    def __init__(
        self,
        settings: WebhookSettings,
        *,
        device: DeviceInfo,
        is_disabled: bool = False,
        clock: Callable[[], Timestamp] = timestamp,
        supervisor: Supervisor | None = None,
        find_local: FindLocal | None = None,
    ) -> None:
        self._supervisor = supervisor or Supervisor()
        self.settings: Final = settings
        self.name: Final = "webhook-" + hashlib.sha256(settings.url.encode()).hexdigest()[:16]
        """The name of its place in the outbox: that of its address, whatever else is changed."""
        kinds = None if settings.events is None else frozenset(map(EventKind, settings.events))
        self.reader: Final = Reader(self.name, kinds)
        self.is_disabled = is_disabled
        """The receiver wants nothing more (410)."""
        self._device = device
        self._clock = clock
        self._peer = webhook_at(settings.url)
        self._circuit = Circuit("webhook", url=origin(settings.url))
        headers = {"Content-Type": "application/json", "User-Agent": f"cast-agent/{device.version}"}
        self._caller = Caller(
            self._peer, headers=headers, timeout_s=CALL_TIMEOUT_S, answer_limit=0, find_local=find_local
        )
        self._rejection: str | None = None
        """The reason why the last event was refused for good; None if it was not."""
        self._task: asyncio.Task[None] | None = None

    def start(self, outbox: Outbox) -> None:
        """Pass the stored events on. Idempotent."""
        if self._task is None and not self.is_disabled:
            delivery = Delivery(self.name, outbox=outbox, circuit=self._circuit, send=self._send, limit=1)
            self._task = self._supervisor.start(delivery.run, name=self.name)

    async def stop(self) -> None:
        """Idempotent."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        self._circuit.close()
        await self._caller.close()

    def status(self, outbox: OutboxStatus) -> WebhookStatus:
        circuit = self._circuit
        return WebhookStatus(
            url=origin(self.settings.url),
            connected=circuit.connected and not self.is_disabled,
            last_success=circuit.last_success,
            queued=0 if self.is_disabled else outbox.queued.get(self.name, 0),
            dropped=outbox.dropped.get(self.name, 0),
            disabled=self.is_disabled,
            problem=self._problem(outbox),
        )

    def _problem(self, outbox: OutboxStatus) -> str | None:
        if self.is_disabled:
            return gone(self._peer.host)
        if self.name in self._supervisor.failing:
            return "It fails because of a bug in the agent and is tried again; the log has the details."
        return outbox.problem or (str(self._circuit.trouble) if self._circuit.trouble else self._rejection)

    async def _send(self, events: Sequence[Mapping[str, JsonValue]]) -> Mapping[int, str]:
        for event in events:
            try:
                await self._post(event)
            except CallFailedError as error:
                self._rejection = str(error) if error.trouble is Trouble.REJECTED else None
                self.is_disabled = error.trouble is Trouble.GONE
                raise
        self._rejection = None
        return {}

    async def _post(self, event: Mapping[str, JsonValue]) -> None:
        body, now = body_of(event, self._device), self._clock()
        headers = headers_of(str(event["event_id"]), int(now.at), body, self.settings.secret)
        answered = await self._caller.call("POST", self.settings.url, data=body, headers=headers)
        if not 200 <= answered.status < 300:
            may_be_late = self.settings.secret is not None and not now.synced and now.uptime < CLOCK_SETTLES_S
            raise of_answer(self._peer.host, answered.status, answered.headers, clock_is_doubtful=may_be_late)


def webhook_at(url: str) -> Peer:
    """A receiver."""
    return Peer(
        url,
        "Check that the receiver runs, and the network to it.",
        "Check the url of this [[webhook]].",
        "read what is sent",
    )


def body_of(event: Mapping[str, Any], device: DeviceInfo) -> bytes:
    """The body to send: the event, and its session."""
    about = {name: event[name] for name in _ENVELOPE if event[name] is not None}
    about |= {"device_id": device.id, "device_name": device.name}
    body = {"type": event["kind"], "timestamp": event["occurred_at"], "data": event["data"] | about}
    return json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode()


def headers_of(event_id: str, at: int, body: bytes, secret: str | None) -> dict[str, str]:
    """The headers of one attempt, `at` in seconds since 1970; signed if there is a secret."""
    headers = {"webhook-id": event_id, "webhook-timestamp": str(at)}
    if secret is not None:
        key = base64.b64decode(secret.removeprefix("whsec_"))
        signature = hmac.digest(key, f"{event_id}.{at}.".encode() + body, "sha256")
        headers["webhook-signature"] = f"v1,{base64.b64encode(signature).decode()}"
    return headers


def of_answer(host: str, status: int, headers: Mapping[str, str], *, clock_is_doubtful: bool) -> CallFailedError:
    """The meaning of an answer that is no success. Its text is never repeated: it is the receiver's."""
    if (busy := of_busy(host, status, headers)) is not None:
        return busy
    if status == 410:
        return CallFailedError(Trouble.GONE, gone(host), status=status)
    if 300 <= status < 400:
        return CallFailedError(Trouble.REFUSED, redirected(host, headers.get("Location", "")), status=status)
    if status in (401, 403):
        message = f"{host} answered {status}: it rejects the secret or the url. Correct them in this [[webhook]]."
        return CallFailedError(Trouble.REFUSED, message, status=status)
    if not 400 <= status < 500:
        return CallFailedError(Trouble.PASSING, f"The server at {host} does not speak HTTP as it should.")
    if clock_is_doubtful:
        message = f"{host} answered {status}. The clock of this box may not be set yet, so it is tried again."
        return CallFailedError(Trouble.PASSING, message, status=status)
    advice = _ADVICE.get(status, "")
    return CallFailedError(Trouble.REJECTED, f"{host} answered {status}: it refused an event.{advice}", status=status)


_ADVICE: Final = {
    400: " If it checks signatures, then its secret must be that of this [[webhook]].",
    404: " Check the path of the url of this [[webhook]].",
    405: " Check the path of the url of this [[webhook]].",
}
"""The advice for an event that was refused."""


def gone(host: str) -> str:
    """The sentence for a receiver that wants no more events."""
    return (
        f"{host} refuses further events (410), so the agent sends it nothing. Take this [[webhook]] out of the "
        "configuration, or change it to have it tried again."
    )


def redirected(host: str, location: str) -> str:
    """A sentence about a redirect. It names only the host of the new address: the path may be a secret."""
    try:
        to = origin(location) if "://" in location else "another path"
    except ValueError:
        to = "another address"
    return f"{host} redirects to {to[:200]}. Set the url of this [[webhook]] to the final address."
