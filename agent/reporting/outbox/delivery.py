"""Passes on what is in the outbox, in order, until a receiver has it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

import structlog
from pydantic import JsonValue

from agent.reporting.http.circuit import Circuit
from agent.reporting.http.errors import CallFailedError, Trouble
from agent.reporting.outbox.outbox import Outbox
from agent.reporting.outbox.reader import Batch

Send = Callable[[Sequence[Mapping[str, JsonValue]]], Awaitable[Mapping[int, str]]]
"""Returns when the receiver has these events: why some were refused for good, by their places. Raises
CallFailedError."""

LIMITED_RETRY_S: Final = 300.0
"""The pause when the other side limits calls and does not say for how long."""

JITTER_S: Final = 1.0

log = structlog.get_logger(__name__)


class Delivery:
    """One reader of the outbox. An event is settled when it was answered, never before. `limit` is how many events
    go into one call."""

    def __init__(self, reader: str, *, outbox: Outbox, circuit: Circuit, send: Send, limit: int) -> None:
        self._reader = reader
        self._outbox = outbox
        self._circuit = circuit
        self._send = send
        self._most = limit
        self._limit = limit
        """The size of the next batch."""
        self.trouble: CallFailedError | None = None
        """The reason why no events are taken for now, although the other side is there."""

    async def run(self) -> None:
        """Deliver until cancelled."""
        while True:
            await self._circuit.ready()
            batch = await self._outbox.next(self._reader, self._limit)
            if batch.events:
                await self._deliver(batch)
            else:
                await self._outbox.wait(self._reader)

    async def _deliver(self, batch: Batch) -> None:
        try:
            refused = await self._circuit.call(lambda: self._send(batch.events))
        except CallFailedError as error:
            if error.trouble is Trouble.REJECTED:
                await self._rejected(batch, error)
            elif error.trouble is Trouble.LIMITED:
                await self._pause(error)
            return
        self.trouble = None
        self._limit = min(self._most, self._limit * 2)
        await self._settle(batch, len(batch.events), refused)

    async def _pause(self, error: CallFailedError) -> None:
        """Send nothing for as long as the server asked. Other calls over the circuit continue."""
        if self.trouble is None:
            log.warning("event_delivery_failed", reason=str(error), retry_after_s=error.retry_after_s)
        self.trouble = error
        pause_s = LIMITED_RETRY_S if error.retry_after_s is None else error.retry_after_s
        await asyncio.sleep(pause_s + random.uniform(0.0, JITTER_S))  # noqa: S311 - not all boxes in the same moment

    async def _rejected(self, batch: Batch, error: CallFailedError) -> None:
        """Take in that the receiver refused the batch as a whole: one of its events is the reason, or each."""
        if len(batch.events) > 1:
            self._limit = len(batch.events) // 2
            return
        await self._settle(batch, 1, {0: str(error)})

    async def _settle(self, batch: Batch, count: int, refused: Mapping[int, str]) -> None:
        for place, reason in refused.items():
            event = batch.events[place]
            log.error("event_refused", event_id=event["event_id"], kind=event["kind"], reason=reason)
        await self._outbox.settle(batch, count, refused)
