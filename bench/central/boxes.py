"""Thousands of boxes that report as boxes do."""

from __future__ import annotations

import asyncio
import random
import time

from bench.central import messages
from bench.central.client import Connection, at_intervals
from bench.central.world import World
from bench.numbers import Series
from bench.report import Bar, Point, Table

INTERVAL_S = 60.0
JITTER = 0.1
BAR_MS = 50.0
CONNECTS_AT_ONCE = 50


async def measure(world: World, *, boxes: int, seconds: float) -> Point:
    """Each with a connection of its own: a state every 60 s ± 10 %, and a batch of two events about as often."""
    await world.fill(boxes=boxes, on=0, keys=0)
    await world.settle()
    reporters = [messages.Box(box_id, token) for box_id, token in world.boxes[-boxes:]]
    connections: list[Connection] = []
    for at in range(0, boxes, CONNECTS_AT_ONCE):
        connections += await asyncio.gather(*(Connection.to(world.port) for _ in reporters[at : at + CONNECTS_AT_ONCE]))
    waited: dict[str, list[float]] = {"state": [], "events": []}

    async def report(number: int) -> None:
        for name, sent in (("state", reporters[number].state()), ("events", reporters[number].events(2))):
            began = time.perf_counter()
            status, body = await connections[number].ask(sent)
            assert status == 200, (status, body)
            waited[name].append((time.perf_counter() - began) * 1000)

    before, began = world.cpu_s(), time.perf_counter()
    end = asyncio.get_running_loop().time() + seconds
    await asyncio.gather(
        *(
            at_intervals(
                lambda number=number: report(number),  # type: ignore[misc]
                first_s=random.uniform(0, INTERVAL_S),
                every_s=lambda: INTERVAL_S * random.uniform(1 - JITTER, 1 + JITTER),
                end=end,
            )
            for number in range(boxes)
        )
    )
    took = time.perf_counter() - began
    cpu = (world.cpu_s() - before) / took * 100
    for connection in connections:
        connection.close()
    rows, bars = [], []
    for name, values in waited.items():
        series = Series.of(values)
        p95 = series.percentile(95)
        figures = (series.median, p95, series.percentile(99), series.high)
        rows.append((name, str(len(values)), f"{len(values) / took:.0f}", *(f"{value:.1f}" for value in figures)))
        bars.append(Bar(f"{boxes} boxes, {name}: 95 % within {BAR_MS:.0f} ms", p95 <= BAR_MS, f"{p95:.1f} ms"))
    columns = ("what", "calls", "a second", "median ms", "95 %", "99 %", "worst")
    title = f"{world.database}: {boxes} boxes at their real rate for {seconds:g} s, one instance"
    notes = (f"The service used {cpu:.0f} % of one core.",)
    raw = {f"{name}, ms": values for name, values in waited.items()}
    return Point("boxes", title, Table(columns, tuple(rows)), tuple(bars), notes, raw)
