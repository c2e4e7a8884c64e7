"""Tells the central API what is on and how the box is: the latest only, at each change and in between."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Any, Final

import structlog
from pydantic import ValidationError

from agent.reporting.central.client import CentralClient
from agent.reporting.central.shared_stream import SharedStream, wanted
from agent.reporting.central.state import View
from agent.reporting.http.circuit import Circuit
from agent.reporting.http.errors import CallFailedError, Trouble
from cast_wire import models as wire
from cast_wire.storable import storable

COALESCE_S: Final = 1.0
"""A switch changes several things at once, and a person who changes channels makes several switches."""

JITTER: Final = 0.1
"""The spread of the time between two heartbeats, so that the boxes of a house do not report at the same moment."""

LOOK_S: Final = 5.0
"""The interval at which the box is compared with the state that was last reported: no event tells of a problem, such as
a full disk."""

CLONES_AFTER: Final = 3
"""States that were taken for old ones, in a row: another box reports under our name."""

log = structlog.get_logger(__name__)


class StateReporter:
    """The state channel, never queued, and with it the stream that is shown. `envelope` makes what every message
    begins with."""

    def __init__(
        self,
        *,
        circuit: Circuit,
        client: CentralClient,
        device_id: str,
        envelope: Callable[[], dict[str, Any]],
        view: Callable[[], View],
        heartbeat_s: float,
    ) -> None:
        self._circuit = circuit
        self._client = client
        self._envelope = envelope
        self._view = view
        self._heartbeat_s = heartbeat_s
        self._changed = asyncio.Event()
        self._essence: object = None
        self._outdated = 0
        self._random = random.Random()  # noqa: S311 - it spreads reports over time
        self.shown: Final = SharedStream(circuit=circuit, client=client, device_id=device_id)
        self.problem: str | None = None

    def changed(self) -> None:
        """Note that something has changed; returns at once."""
        self._changed.set()

    async def run(self) -> None:
        """Report until cancelled."""
        is_heartbeat = True
        while True:
            await self._circuit.ready()
            try:
                await self._tell(look=is_heartbeat)
            except CallFailedError as error:
                if error.trouble not in (Trouble.REJECTED, Trouble.LIMITED):
                    continue  # the circuit knows when to try again
                log.error("state_report_refused", code=error.reason, message=str(error))
            except ValidationError as error:  # something on the box is as the wire does not allow
                log.error("state_report_failed", reason=str(error))
            is_heartbeat = await self._wait()

    async def say_goodbye(self) -> None:
        """The last word of this run, past all that wait. Raises CallFailedError."""
        await self._client.put_state(self._state(self._view(), stopping=True))

    async def _tell(self, *, look: bool) -> None:
        self._changed.clear()

        async def put() -> wire.StateAnswer:
            view = self._view()  # when it is its turn, so that it is the latest
            self._essence = view.essence()
            return await self._client.put_state(self._state(view))

        answer = await self._circuit.call(put)
        if answer.next_interval_s is not None:
            self._heartbeat_s = min(max(answer.next_interval_s, wire.INTERVAL_LEAST_S), wire.INTERVAL_MOST_S)
        self._notice_clones(answer.accepted)
        await self.shown.update(wanted(self._view().snapshot), look=look)

    async def _wait(self) -> bool:
        """Wait until the state differs, or a heartbeat is due. Return True for a heartbeat."""
        loop = asyncio.get_running_loop()
        due = loop.time() + self._heartbeat_s * self._random.uniform(1 - JITTER, 1 + JITTER)
        while (left_s := due - loop.time()) > 0:
            try:
                async with asyncio.timeout(min(left_s, LOOK_S)):
                    await self._changed.wait()
            except TimeoutError:
                if self._view().essence() == self._essence:
                    continue
            await asyncio.sleep(COALESCE_S)
            return False
        return True

    def _state(self, view: View, *, stopping: bool = False) -> wire.State:
        fields = {**self._envelope(), **view.fields(), "stopping": stopping}
        return wire.State.model_validate(storable(fields))

    def _notice_clones(self, accepted: bool) -> None:
        self._outdated = 0 if accepted else self._outdated + 1
        if self._outdated == CLONES_AFTER:
            self.problem = (
                "Another box reports in the name of this one, and the central API accepts it: was the card copied? Run "
                "`cast-agent enrol --forget` on one of them and register it again."
            )
            log.error("report_superseded", hint=self.problem)
        elif accepted:
            self.problem = None
