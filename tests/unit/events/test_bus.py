"""The bus: order, catching up, and followers that do not read."""

from __future__ import annotations

import asyncio
import time

import pytest
from structlog.testing import capture_logs

from agent.events.bus import HISTORY_LIMIT, QUEUE_LIMIT, Event, EventBus, SlowFollowerError
from cast_wire.kinds import EventKind

TICK = EventKind.VOLUME_CHANGED


async def test_followers_get_each_event_in_order() -> None:
    bus = EventBus()
    bus.publish(TICK)
    first, second = bus.subscribe(), bus.subscribe()
    waiting = asyncio.create_task(first.next())
    await asyncio.sleep(0)
    bus.publish(TICK, level=0.5)
    bus.publish(EventKind.DISPLAY_CHANGED)
    assert [(await waiting).data, (await first.next()).kind] == [{"level": 0.5}, EventKind.DISPLAY_CHANGED]
    assert [(await second.next()).id, (await second.next()).id] == [2, 3]


async def test_a_follower_resumes_where_it_was() -> None:
    bus = EventBus()
    for _ in range(5):
        bus.publish(TICK)
    follower = bus.resume(3)
    assert follower is not None
    bus.publish(TICK)
    assert [(await follower.next()).id for _ in range(3)] == [4, 5, 6]


@pytest.mark.parametrize("after", [-1, 0, HISTORY_LIMIT + 100])
async def test_a_gap_is_said(after: int) -> None:
    bus = EventBus()
    for _ in range(HISTORY_LIMIT + 1):
        bus.publish(TICK)
    assert bus.resume(after) is None
    assert bus.resume(1) is not None


async def test_a_follower_that_does_not_read_is_dropped_and_holds_nothing() -> None:
    bus = EventBus()
    slow, good = bus.subscribe(), bus.subscribe()
    for number in range(QUEUE_LIMIT + 10):
        bus.publish(TICK)
        assert (await good.next()).id == number + 1
    with pytest.raises(SlowFollowerError):
        await slow.next()


async def test_a_follower_that_left_gets_nothing() -> None:
    bus = EventBus()
    follower = bus.subscribe()
    follower.close()
    bus.publish(TICK)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await follower.next()


async def test_a_listener_has_the_event_before_whoever_published_it_goes_on() -> None:
    bus = EventBus()
    heard: list[Event] = []
    bus.listen(heard.append)
    bus.publish(TICK, level=0.5)
    assert [(event.kind, event.data) for event in heard] == [(TICK, {"level": 0.5})]


async def test_a_listener_that_fails_is_logged_and_ends_nothing() -> None:
    bus = EventBus()
    follower, heard = bus.subscribe(), list[Event]()

    def fail(event: Event) -> None:
        raise RuntimeError("a mistake")

    bus.listen(fail)
    bus.listen(heard.append)
    with capture_logs() as logs:
        bus.publish(TICK)
    assert [line["event"] for line in logs] == ["event_listener_crashed"]
    assert [event.id for event in heard] == [(await follower.next()).id]


async def test_an_event_has_a_monotonic_and_a_wall_time() -> None:
    bus = EventBus()
    bus.publish(TICK)
    bus.publish(TICK)
    [first, second] = bus.since(0) or []
    assert first.at.uptime <= second.at.uptime <= time.clock_gettime(time.CLOCK_BOOTTIME)
    assert abs(first.at.at - time.time()) < 60
