"""Passes on what is in the outbox, in order, until the central API has it."""

from __future__ import annotations

from typing import Final

import structlog

from agent.reporting.client import CentralClient
from agent.reporting.line import Line
from agent.reporting.outbox import Outbox
from agent.reporting.outbox_file import Batch
from agent.reporting.trouble import CallFailedError, Trouble
from agent.reporting.wire import EVENTS_LIMIT, EventsAnswer, EventStatus

READER: Final = "central"

log = structlog.get_logger(__name__)


class Delivery:
    """The reader `central` of the outbox. An event is settled when it was answered, never before."""

    def __init__(self, *, outbox: Outbox, line: Line, client: CentralClient, device_id: str) -> None:
        self._outbox = outbox
        self._line = line
        self._client = client
        self._device_id = device_id
        self._limit = EVENTS_LIMIT
        """Of the next batch."""

    async def run(self) -> None:
        """Until it is cancelled."""
        while True:
            await self._line.ready()
            batch = await self._outbox.next(READER, self._limit)
            if batch.events:
                await self._deliver(batch)
            else:
                await self._outbox.wait(READER)

    async def _deliver(self, batch: Batch) -> None:
        try:
            answer = await self._line.call(lambda: self._client.post_events(self._device_id, batch.events))
        except CallFailedError as error:
            if error.trouble is Trouble.REJECTED:
                await self._rejected(batch, error)
            return
        self._limit = min(EVENTS_LIMIT, self._limit * 2)
        await self._outbox.settle(batch, len(batch.events), _refused(batch, answer))

    async def _rejected(self, batch: Batch, error: CallFailedError) -> None:
        """The batch as a whole was not taken: one of them is the reason, or each."""
        if len(batch.events) > 1:
            self._limit = len(batch.events) // 2
            return
        _tell(batch, 0, error.reason or str(error.status), str(error))
        await self._outbox.settle(batch, 1, {0: str(error)})


def _refused(batch: Batch, answer: EventsAnswer) -> dict[int, str]:
    refused = {}
    for place, result in enumerate(answer.results):
        if result.status is EventStatus.REJECTED:
            code = result.error.code if result.error else "rejected"
            message = result.error.message if result.error else ""
            _tell(batch, place, code, message)
            refused[place] = f"{code}: {message}"
    return refused


def _tell(batch: Batch, place: int, code: str, message: str) -> None:
    event = batch.events[place]
    log.error("event_refused", event_id=event["event_id"], kind=event["kind"], code=code, message=message)
