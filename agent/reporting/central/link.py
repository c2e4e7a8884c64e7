"""All that goes to one central API, for as long as the box is registered with it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import structlog
from pydantic import JsonValue

from agent.events.timestamp import timestamp
from agent.health import ReportingStatus
from agent.reporting.central.client import CentralClient
from agent.reporting.central.credentials import Credentials
from agent.reporting.central.state import View
from agent.reporting.central.state_reporter import StateReporter
from agent.reporting.http.circuit import Circuit
from agent.reporting.http.errors import CallFailedError
from agent.reporting.http.resolver import FindLocal
from agent.reporting.outbox.delivery import Delivery
from agent.reporting.outbox.journal import Journal
from cast_util.tasks import Supervisor
from cast_wire.models import EVENTS_LIMIT, EventStatus

READER: Final = "central"
"""The name of the outbox's reader."""

PRESENCE: Final = "reporting-presence"
DELIVERY: Final = "reporting-delivery"

BROKEN: Final = (
    "Reporting fails because of a bug in the agent and is tried again; its log has the details. Please report it."
)

FAREWELL_S: Final = 1.0
"""The time for the last word, from the moment at which the agent begins to stop; all else stops meanwhile."""

log = structlog.get_logger(__name__)


class Link:
    """One connection, and the tasks that use it."""

    def __init__(
        self,
        enrolment: Credentials,
        *,
        journal: Journal,
        view: Callable[[], View],
        heartbeat_s: float,
        supervisor: Supervisor,
        find_local: FindLocal | None = None,
    ) -> None:
        self._supervisor = supervisor
        self._enrolment = enrolment
        self._journal = journal
        self._circuit = Circuit()
        self._client = CentralClient(
            enrolment.url, enrolment.token, agent_version=journal.run.agent_version, find_local=find_local
        )
        self._delivery = Delivery(
            READER, outbox=journal.outbox, circuit=self._circuit, send=self._send, limit=EVENTS_LIMIT
        )
        self._state_reporter = StateReporter(
            circuit=self._circuit,
            client=self._client,
            device_id=enrolment.device_id,
            envelope=self._envelope,
            view=view,
            heartbeat_s=heartbeat_s,
        )
        self._tasks: list[asyncio.Task[None]] = []
        self._farewell: asyncio.Task[None] | None = None
        self._leave_at = 0.0

    @property
    def status(self) -> ReportingStatus:
        outbox, circuit, shown = self._journal.outbox.status, self._circuit, self._state_reporter.shown.stream
        return ReportingStatus(
            enabled=True,
            connected=circuit.connected,
            last_success=circuit.last_success,
            queued=outbox.queued.get(READER, 0),
            dropped=outbox.dropped.get(READER, 0),
            url=self._enrolment.url,
            device_id=self._enrolment.device_id,
            stream_id=None if shown is None else shown.id,
            code=None if shown is None else shown.code,
            problem=self._problem(outbox.problem),
        )

    def start(self) -> None:
        self._tasks = [
            self._supervisor.start(work, name=name)
            for name, work in ((PRESENCE, self._state_reporter.run), (DELIVERY, self._delivery.run))
        ]

    def changed(self) -> None:
        """Note that something has changed on the box; returns at once."""
        self._state_reporter.changed()

    def farewell(self) -> None:
        """Begin to say the last word, if the other side listens. Idempotent."""
        if self._farewell is None and self._tasks and self._circuit.connected:
            self._tasks[0].cancel()
            self._leave_at = asyncio.get_running_loop().time() + FAREWELL_S
            self._farewell = asyncio.create_task(self._say_goodbye(), name="reporting-farewell")

    async def stop(self) -> None:
        """End it; a last word that has begun may take until FAREWELL_S after its beginning. Idempotent."""
        tasks, self._tasks = self._tasks, []
        if self._farewell is not None:
            await asyncio.wait([self._farewell], timeout=self._leave_at - asyncio.get_running_loop().time())
            tasks.append(self._farewell)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._circuit.close()
        await self._client.close()

    async def _send(self, events: Sequence[Mapping[str, JsonValue]]) -> Mapping[int, str]:
        answer = await self._client.post_events(self._enrolment.device_id, events)
        return {
            place: f"{result.error.code}: {result.error.message}" if result.error else "rejected"
            for place, result in enumerate(answer.results)
            if result.status is EventStatus.REJECTED
        }

    async def _say_goodbye(self) -> None:
        try:
            await self._state_reporter.say_goodbye()
        except CallFailedError as error:
            log.info("goodbye_failed", reason=str(error))

    def _envelope(self) -> dict[str, Any]:
        now, outbox = timestamp(), self._journal.outbox.status
        return {
            "device_id": self._enrolment.device_id,
            "boot_id": self._journal.run.boot_id,
            "seq": next(self._journal.states),
            "occurred_at": now.utc,
            "uptime": round(now.uptime, 3),
            "clock_synced": now.synced,
            "agent_version": self._journal.run.agent_version,
            "events_queued": outbox.queued.get(READER, 0),
            "events_dropped": outbox.dropped.get(READER, 0),
        }

    def _problem(self, of_outbox: str | None) -> str | None:
        failed = self._circuit.trouble or self._delivery.trouble
        return self._broken() or of_outbox or (str(failed) if failed else self._state_reporter.problem)

    def _broken(self) -> str | None:
        return BROKEN if self._supervisor.failing.keys() & {PRESENCE, DELIVERY} else None
