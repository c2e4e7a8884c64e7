"""Whether the daemon grows: looked at whenever the screen is empty, compared within each of its lives."""

from __future__ import annotations

from dataclasses import dataclass, field

from bench.numbers import slope
from bench.processes import descriptors, memory, threads
from soak.box import Box

RSS_ARENAS_MIB = 2.0
"""CPython takes memory in arenas of 1 MiB, so looks differ by one or two without a leak."""
RSS_TOLERANCE_MIB = 0.5
"""More in a hundred steps, over a life. A leak of one picture of this screen (0.9 MiB) in a hundred is above it."""

THREADS_TOLERANCE = 2
"""asyncio's pool makes a thread when all others are busy at the moment, up to its limit of processors and four."""

LOOKS_NEEDED = 3
"""In one life; the first comes after a whole round, when libraries are loaded and caches filled."""


@dataclass(frozen=True, slots=True)
class Look:
    """The daemon at rest, with its spare ready."""

    life: int
    step: int
    processes: int
    descriptors: int
    threads: int
    rss_mib: float


@dataclass
class Growth:
    looks: list[Look] = field(default_factory=list)

    def look(self, box: Box, step: int) -> Look:
        """Raises AssertionError when no spare becomes ready, OSError when the daemon is gone."""
        box.spare()
        pid = box.agent.pid
        look = Look(
            life=box.lives,
            step=step,
            processes=len(box.processes()),
            descriptors=descriptors(pid),
            threads=threads(pid),
            rss_mib=memory(pid).rss,
        )
        self.looks.append(look)
        return look

    def verdict(self) -> tuple[list[str], list[str]]:
        """What grew, and what was found, as texts."""
        grown, found = [], []
        for life in sorted({look.life for look in self.looks}):
            looks = [look for look in self.looks if look.life == life]
            first, last = looks[0], looks[-1]
            if len(looks) < LOOKS_NEEDED:
                continue
            steps = last.step - first.step
            rss = slope([(look.step, look.rss_mib) for look in looks])
            counts = f"processes {first.processes} -> {last.processes}, descriptors {first.descriptors} -> "
            counts += f"{last.descriptors}, threads {first.threads} -> {last.threads}"
            sizes = f"RSS {first.rss_mib:.1f} -> {last.rss_mib:.1f} MiB ({rss * 100:+.2f} in 100 steps)"
            found.append(f"life {life}, {len(looks)} looks over {steps} steps: {counts}, {sizes}")
            grew = last.processes > first.processes or last.descriptors > first.descriptors
            grew = (
                grew
                or last.threads > first.threads + THREADS_TOLERANCE
                or (rss * steps > RSS_ARENAS_MIB + RSS_TOLERANCE_MIB * steps / 100)
            )
            if grew:
                grown.append(found[-1])
        return grown, found
