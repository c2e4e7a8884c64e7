"""Many connections want the same key at the same moment: exactly one may have it."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field

from bench.central import messages
from bench.central.client import ANSWER_S, Connection, request
from bench.central.world import World
from bench.report import Bar, Point, Table

CLIENTS = 100
EACH = 10
"""Connections that want the key of one race: ten races run at a time."""
LOSERS_TRIED = 20
"""The number of races of which one has a loser that says that it is ready all the same."""


@dataclass
class Outcome:
    """The outcome of all races."""

    winners: Counter[int] = field(default_factory=Counter)
    """The number of races by their number of winners."""
    activated: int = 0
    """Winners that said that they are ready, and were believed."""
    sneaked: int = 0
    """Losers that came on the air."""
    seconds: float = 0.0


async def measure(world: World, *, races: int) -> Point:
    """`races` keys; on PostgreSQL half of the connections ask another instance than the others."""
    await world.fill(boxes=0, on=0, keys=races)
    await world.settle()
    keys = [key for _, key in world.keys[-races:]]
    outcome = Outcome()
    ports = [instance.port for instance in world.instances]
    began = time.perf_counter()
    async with asyncio.timeout(races / 10 + ANSWER_S):
        await asyncio.gather(
            *(_lane(ports, lane, keys[lane :: CLIENTS // EACH], outcome) for lane in range(CLIENTS // EACH))
        )
    outcome.seconds = time.perf_counter() - began
    on = await _on(world)
    doubles = sum(count for winners, count in outcome.winners.items() if winners > 1) + outcome.sneaked
    rows = (
        ("races", str(races)),
        ("connections in each", str(EACH)),
        ("authentications at a time", str(CLIENTS)),
        ("instances", str(len(ports))),
        ("races with one winner", str(outcome.winners[1])),
        ("races with none", str(outcome.winners[0])),
        ("races with more", str(doubles)),
        ("losers that came on the air", str(outcome.sneaked)),
        ("streams that are on afterwards", str(on)),
        ("seconds", f"{outcome.seconds:.1f}"),
    )
    bars = (
        Bar(f"0 double activations in {races} races", doubles == 0, str(doubles)),
        Bar(
            "each key has exactly one winner, and that one is on",
            outcome.winners[1] == outcome.activated == races == on,
            f"{on}",
        ),
    )
    return Point("races", f"{world.database}: races for stream keys", Table(("", "number"), rows), bars)


async def _lane(ports: list[int], lane: int, keys: list[str], outcome: Outcome) -> None:
    """One race after the other."""
    connections = [await Connection.to(ports[number % len(ports)]) for number in range(EACH)]
    try:
        for race, key in enumerate(keys):
            path = f"race/{lane}/{race}"
            names = [f"r{lane}-{race}-{number}" for number in range(EACH)]
            asked = [
                connection.ask(messages.auth(key, path=path, connection=name))
                for connection, name in zip(connections, names, strict=True)
            ]
            statuses = [status for status, _ in await asyncio.gather(*asked)]
            assert set(statuses) <= {200, 401}, statuses
            outcome.winners[statuses.count(200)] += 1
            for connection, name, status in zip(connections, names, statuses, strict=True):
                if status == 200:
                    answered, _ = await connection.ask(messages.ready(path=path, connection=name))
                    outcome.activated += answered == 204  # not in one line: the other lanes count meanwhile
            if race % LOSERS_TRIED == 0 and 401 in statuses:
                loser = statuses.index(401)
                sent = messages.ready(path=path, connection=names[loser])
                answered, _ = await connections[loser].ask(sent)
                outcome.sneaked += answered == 204
    finally:
        for connection in connections:
            connection.close()


async def _on(world: World) -> int:
    """The number of published streams that the service reports as on."""
    connection = await Connection.to(world.port)
    try:
        _, text = await connection.ask(request("GET", "/metrics", token=world.admin_key))
    finally:
        connection.close()
    name = b'cast_central_streams_active{source="publisher"} '
    return int(float(text.partition(name)[2].partition(b"\n")[0]))
