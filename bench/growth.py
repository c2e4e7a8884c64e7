"""A search for growth while streams start and stop, again and again."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import Any

import xcffib
import xcffib.res

from bench.agent import MARK, Agent
from bench.lab import Lab
from bench.numbers import slope
from bench.processes import descriptors, memory, processes_with, threads, zombies_of
from bench.report import Bar, Point, Table

_connect: Any = xcffib.connect  # xcffib has no types

WARM_UP = 20
"""Cycles after which libraries are loaded and caches are filled; earlier growth is not counted."""

EVERY = 20
"""Cycles between two looks."""

GROWTH_MIB = 1.0
"""CPython takes memory from the system in arenas of this size (Objects/obmalloc.c, ARENA_BITS 20), so the trend of
something that does not grow may still be a part of one. A leak of 4 KiB in each of 300 cycles is 1.2 MiB."""

START_S = 10
"""Asked of the agent as `?wait=`: a start takes 0.1-0.7 s."""


@dataclass(frozen=True, slots=True)
class Look:
    """The agent at rest, with its spare ready, after so many cycles."""

    cycle: int
    processes: int
    zombies: int
    descriptors: int
    """The descriptors of the daemon, like the next values."""
    threads: int
    rss_mib: float
    pss_mib: float
    x_clients: int
    """The clients of the whole X server; the next values are its own, too."""
    x_resources: int


def measure(lab: Lab) -> Point:
    """Raises RuntimeError when a start fails."""
    cycles = max(lab.scale.cycles, WARM_UP + EVERY)
    looks: list[Look] = []
    began = time.monotonic()
    with Agent(lab.agent_eye.display, lab.env) as agent:
        for cycle in range(1, cycles + 1):
            stream = (lab.media.mp4, lab.media.hls)[cycle % 2]
            answer = agent.call("POST", f"/start?wait={START_S}", {"url": stream.url})
            if answer.body.get("status") != "success":
                raise RuntimeError(f"Start {cycle} was answered {answer.status}: {answer.body}")
            agent.stop()
            if cycle in (1, cycles) or cycle % EVERY == 0:
                looks.append(_look(agent, cycle))
                lab.say(f"cycle {cycle} of {cycles}: {looks[-1].pss_mib:.1f} MiB PSS, {looks[-1].descriptors} open")
        mark = agent.mark
    left_behind = processes_with(MARK, mark)
    seconds = time.monotonic() - began
    return _point(looks, left_behind, seconds)


def _look(agent: Agent, cycle: int) -> Look:
    agent.wait_spare()
    used = memory(agent.pid)
    clients, resources = _x_use(agent.display)
    return Look(
        cycle=cycle,
        processes=len(processes_with(MARK, agent.mark)),
        zombies=zombies_of(agent.pid),
        descriptors=descriptors(agent.pid),
        threads=threads(agent.pid),
        rss_mib=used.rss,
        pss_mib=used.pss,
        x_clients=clients,
        x_resources=resources,
    )


def _point(looks: list[Look], left_behind: list[int], seconds: float) -> Point:
    warm = [look for look in looks if look.cycle >= WARM_UP]
    first, last = warm[0], warm[-1]
    cycles = last.cycle - first.cycle
    # RSS, because PSS changes with whatever else on the machine maps the same libraries.
    trend = slope([(look.cycle, look.rss_mib) for look in warm])
    counted = ("processes", "zombies", "descriptors", "threads", "x_clients", "x_resources")
    before, after = asdict(first), asdict(last)
    grown = [f"{name} {before[name]} -> {after[name]}" for name in counted if after[name] > before[name]]
    columns = ("cycle", *counted, "RSS MiB", "PSS MiB")
    rows = [_row(look, counted) for look in looks if look in (looks[0], first, last) or look.cycle % 100 == 0]
    return Point(
        name="growth",
        title=f"Growth over {last.cycle} starts and stops",
        table=Table(tuple(column.replace("_", " ") for column in columns), tuple(rows)),
        bars=(
            Bar(
                f"no growth of processes, descriptors, threads, X resources from cycle {first.cycle} to {last.cycle}",
                not grown,
                ", ".join(grown) or "none",
            ),
            Bar(
                f"no growth of the daemon's memory (trend over {cycles} cycles at most {GROWTH_MIB:g} MiB)",
                trend * cycles <= GROWTH_MIB,
                f"{trend * cycles:+.2f} MiB RSS, {trend * 1024:+.2f} KiB a cycle",
            ),
            Bar("no process left behind when the agent has ended", not left_behind, str(left_behind or "none")),
        ),
        notes=(
            f"{last.cycle / seconds:.2f} cycles a second, in turn MP4 and HLS, each stopped at its first picture.",
            f"Up to {GROWTH_MIB:g} MiB is not growth: CPython takes memory in arenas of 1 MiB. Garbage in cycles it",
            "frees in full collections only; when memory grows, a run with more --cycles tells whether that ends.",
        ),
        raw={"looks": [asdict(look) for look in looks], "left_behind": left_behind},
    )


def _row(look: Look, counted: tuple[str, ...]) -> tuple[str, ...]:
    values = asdict(look)
    memory_ = (f"{look.rss_mib:.1f}", f"{look.pss_mib:.1f}")
    return (str(look.cycle), *(str(values[name]) for name in counted), *memory_)


def _x_use(display: str) -> tuple[int, int]:
    """The number of clients of the X server, and of the windows, pixmaps and so on that they hold."""
    connection: Any = _connect(display)
    try:
        extension = connection(xcffib.res.key)
        clients = extension.QueryClients().reply().clients
        held = [extension.QueryClientResources(client.resource_base) for client in clients]
        return len(clients), sum(one.count for cookie in held for one in cookie.reply().types)
    finally:
        connection.disconnect()
