"""The changes on the box, for all who follow them: one bus, one list of kinds."""

from __future__ import annotations

import asyncio
import itertools
import secrets
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

import structlog

from agent.events.timestamp import Timestamp, timestamp
from agent.types import SessionId
from cast_wire.kinds import EventKind

HISTORY_LIMIT: Final = 256
"""Events that a follower can catch up on: an hour of a box that is steered by hand, and 50 KB."""

QUEUE_LIMIT: Final = 256
"""Events that wait for one follower before it is dropped: it has not read for a minute or more."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Event:
    """One change."""

    id: int
    """Rises by one with each event of this run of the agent."""
    kind: EventKind
    at: Timestamp
    """The time by the wall clock, and by the time since this machine was switched on."""
    session_id: SessionId | None = None
    data: Mapping[str, str | float | bool | None] = field(default_factory=dict)


class SlowFollowerError(Exception):
    """The follower did not read for so long that events would be missing."""


class Emit(Protocol):
    """Tells of a change, at once, and waits for nobody."""

    def __call__(
        self, kind: EventKind, session_id: SessionId | None = None, **data: str | float | bool | None
    ) -> None: ...


def nobody(kind: EventKind, session_id: SessionId | None = None, **data: str | float | bool | None) -> None:
    """Emit to nobody."""


class Subscription:
    """The events for one follower, in order."""

    def __init__(self, bus: EventBus, missed: list[Event]) -> None:
        self._bus = bus
        self._events = deque(missed)
        self._more = asyncio.Event()
        self._is_slow = False

    def put(self, event: Event) -> None:
        """Called by the bus."""
        if len(self._events) >= QUEUE_LIMIT:
            self._is_slow = True
            self._events.clear()
            self._bus.leave(self)
        else:
            self._events.append(event)
        self._more.set()

    async def next(self) -> Event:
        """The next event. Raises SlowFollowerError when events were lost."""
        while not self._events:
            if self._is_slow:
                raise SlowFollowerError
            self._more.clear()
            await self._more.wait()
        return self._events.popleft()

    async def batch(self) -> list[Event]:
        """The next event, and those that wait behind it. Raises SlowFollowerError when events were lost."""
        events = [await self.next(), *self._events]
        self._events.clear()
        return events

    def close(self) -> None:
        """Follow no more. Idempotent."""
        self._bus.leave(self)


class EventBus:
    """Keeps the last HISTORY_LIMIT events and hands each new one to every listener, then to every follower. Publishing
    waits for nobody."""

    def __init__(self) -> None:
        self.run: Final = secrets.token_hex(4)
        """Made anew by each run of the agent: an id of another run says nothing here."""
        self._numbers = itertools.count(1)
        self._history: deque[Event] = deque(maxlen=HISTORY_LIMIT)
        self._listeners: list[Callable[[Event], None]] = []
        self._followers: set[Subscription] = set()

    @property
    def last_id(self) -> int:
        """The id of the newest event; 0 before the first."""
        return self._history[-1].id if self._history else 0

    def publish(self, kind: EventKind, session_id: SessionId | None = None, **data: str | float | bool | None) -> None:
        """Tell all listeners and followers. To be called from the event loop."""
        event = Event(next(self._numbers), kind, timestamp(), session_id, data)
        self._history.append(event)
        for listener in self._listeners:
            try:
                listener(event)
            except Exception:  # a mistake in a listener must not end the stream whose event this is
                log.exception("event_listener_crashed", kind=kind)
        for follower in tuple(self._followers):
            follower.put(event)

    def listen(self, listener: Callable[[Event], None]) -> None:
        """Call `listener` with each event, for as long as the bus exists. Whoever publishes waits for it: it takes
        microseconds. Only what must be safe before a change is logged or answered listens; everyone else subscribes.
        """
        self._listeners.append(listener)

    def subscribe(self) -> Subscription:
        """Follow from now on."""
        return self._follow([])

    def resume(self, after: int) -> Subscription | None:
        """Follow from the event after the one of this id; None when some of those are not there any more."""
        missed = self.since(after)
        return None if missed is None else self._follow(missed)

    def since(self, after: int) -> list[Event] | None:
        """The events after the one of this id; None when some of those are not there any more."""
        if not 0 <= after <= self.last_id or (self._history and after + 1 < self._history[0].id):
            return None
        return [event for event in self._history if event.id > after]

    def leave(self, follower: Subscription) -> None:
        """Called by a subscription that ends."""
        self._followers.discard(follower)

    def _follow(self, missed: list[Event]) -> Subscription:
        follower = Subscription(self, missed)
        self._followers.add(follower)
        return follower
