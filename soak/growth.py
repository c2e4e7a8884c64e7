"""The growth of the daemon: looked at whenever the screen is empty, compared within each of its lives."""

from __future__ import annotations

from dataclasses import dataclass, field

from agent.util.threads import IDLE_LIMIT
from bench.numbers import slope
from bench.processes import descriptors, memory, threads
from soak.box import Box

RSS_ARENAS_MIB = 1.0
"""CPython takes memory in arenas of this size, so looks differ by one without a leak."""
RSS_TOLERANCE_MIB = 0.5
"""More in a hundred steps, over a life. A leak of one picture of this screen (0.9 MiB) in a hundred is above it."""

COUNTED = {"mpv": 1, "others": 0, "descriptors": 0, "threads": IDLE_LIMIT - 1}
"""The greatest increases that are no growth. mpv's spare comes with the first camera. Of threads that block for the
disk, as many may stay as were ever needed at once, up to the limit, and one always stays."""

LOOKS_NEEDED = 3
WARM_UP = 120
"""Steps of a life after which caches are filled: the daemon remembers its last 64 sessions. Measured, it takes 3 MiB in
these and 0.2 MiB in the next hundred."""


@dataclass(frozen=True, slots=True)
class Look:
    """The daemon at rest, with its spare ready."""

    life: int
    step: int
    mpv: int
    """Processes; its spare."""
    others: int
    """Processes; the daemon and the spare of libVLC."""
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
        mpv, _, others = box.count_processes()
        look = Look(
            life=box.lives,
            step=step,
            mpv=mpv,
            others=others,
            descriptors=descriptors(pid),
            threads=threads(pid),
            rss_mib=memory(pid).rss,
        )
        self.looks.append(look)
        return look

    def verdict(self) -> tuple[list[str], list[str]]:
        """The values that grew, and all that were compared, as texts."""
        grown, compared = [], []
        for life in sorted({look.life for look in self.looks}):
            looks = [look for look in self.looks if look.life == life]
            looks = [look for look in looks if look.step - looks[0].step >= WARM_UP] or looks[-1:]
            if len(looks) < LOOKS_NEEDED:
                continue
            steps = looks[-1].step - looks[0].step
            rss = slope([(look.step, look.rss_mib) for look in looks]) * steps
            allowed = RSS_ARENAS_MIB + RSS_TOLERANCE_MIB * steps / 100
            counts = ", ".join(_range(looks, name) for name in COUNTED)
            compared.append(
                f"life {life}, {len(looks)} looks over {steps} steps: {counts}, "
                f"RSS {looks[0].rss_mib:.1f} -> {looks[-1].rss_mib:.1f} MiB, trend {rss:+.2f} of {allowed:.1f} allowed"
            )
            if rss > allowed or any(_counts_more(looks, name, by) for name, by in COUNTED.items()):
                grown.append(compared[-1])
        return grown, compared


def _counts_more(looks: list[Look], name: str, by: int) -> bool:
    """Return True if there are more in every look of the second half than in any of the first: a connection that is
    being answered at the moment is no growth."""
    counts = [getattr(look, name) for look in looks]
    half = len(counts) // 2
    return bool(min(counts[half:]) > max(counts[:half]) + by)


def _range(looks: list[Look], name: str) -> str:
    counts = [getattr(look, name) for look in looks]
    return f"{name} {counts[0]} -> {counts[-1]} (at most {max(counts)})"
