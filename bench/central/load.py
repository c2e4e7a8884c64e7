"""The waiting times of callers when a hundred of them call without a pause."""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Mapping

from bench.central import messages
from bench.central.client import Connection, Load, closed_loop, request
from bench.central.world import World
from bench.numbers import Series
from bench.report import Bar, Point, Table

CLIENTS = 100
BAR_MS = 50.0
KEYS_EACH = 3
ON = 100
"""Streams that are on: the list has two pages."""

Request = Callable[[int], bytes]
"""The next request of the client of this number."""


async def measure(world: World, *, seconds: float) -> Point:
    """Publishers that are let in, lists of what is on, single streams, and events: one call after the other."""
    await world.fill(boxes=CLIENTS, on=ON, keys=CLIENTS * KEYS_EACH)
    boxes = [messages.Box(box_id, token) for box_id, token in world.boxes[:CLIENTS]]
    streams = await _ids_of_streams(world)
    listed = request("GET", "/streams?limit=50", token=world.admin_key)

    def publisher(number: int) -> bytes:
        # Each has three keys of its own, so it is always let in: that is the case that writes.
        chosen = number * KEYS_EACH + random.randrange(KEYS_EACH)
        return messages.auth(world.keys[chosen][1], path=f"live/{chosen}", connection=f"c{number}")

    def own_list(number: int) -> bytes:
        return request("GET", "/streams", token=boxes[number].token)

    def one_stream(_: int) -> bytes:
        return request("GET", f"/streams/{random.choice(streams)}", token=world.admin_key)

    calls: dict[str, Request] = {
        "POST /auth, publishers": publisher,
        "GET /streams, an admin": lambda _: listed,
        "GET /streams, boxes": own_list,
        "GET /streams/{id}": one_stream,
        "POST events, one each": lambda number: boxes[number].events(1),
        "POST events, ten each": lambda number: boxes[number].events(10),
    }
    without_bar = ("POST events, ten each",)  # there the work is ten times that of the others
    return await measured(world, "load", calls, without_bar=without_bar, seconds=seconds)


async def measured(
    world: World, name: str, calls: Mapping[str, Request], *, without_bar: Collection[str], seconds: float
) -> Point:
    """One call after the other, each by all clients for so many seconds."""
    rows, bars, raw = [], [], {}
    for call, next_request in calls.items():
        await world.settle()
        before = world.cpu_s()
        load = await closed_loop(world.port, clients=CLIENTS, seconds=seconds, next_request=next_request)
        cpu_s = world.cpu_s() - before
        assert set(load.statuses) == {200}, load.statuses
        series = Series.of(load.milliseconds)
        each_us = cpu_s / len(load.milliseconds) * 1e6
        rows.append((call, *_figures(load, series), f"{cpu_s / load.seconds * 100:.0f}", f"{each_us:.0f}"))
        raw[f"{call}, ms"] = load.milliseconds
        if call not in without_bar:
            p95 = series.percentile(95)
            bars.append(Bar(f"{call}: 95 % within {BAR_MS:.0f} ms", p95 <= BAR_MS, f"{p95:.1f} ms"))
    columns = ("call", "a second", "median ms", "95 %", "99 %", "worst", "cpu %", "us each")
    title = f"{world.database}, {name}: {CLIENTS} clients that call without a pause, {seconds:g} s each"
    notes = (
        "The clients share two processor cores with the service and the database.",
        "us each: the processor time of the service for one call. It tells more than the others on a busy machine.",
    )
    return Point(name, title, Table(columns, tuple(rows)), tuple(bars), notes, raw)


async def _ids_of_streams(world: World) -> list[str]:
    connection = await Connection.to(world.port)
    try:
        listed = await connection.call("GET", "/streams?limit=200", token=world.admin_key)
    finally:
        connection.close()
    return [stream["id"] for stream in listed["items"]]


def _figures(load: Load, series: Series) -> tuple[str, ...]:
    values = (series.median, series.percentile(95), series.percentile(99), series.high)
    return (f"{len(load.milliseconds) / load.seconds:.0f}", *(f"{value:.1f}" for value in values))
